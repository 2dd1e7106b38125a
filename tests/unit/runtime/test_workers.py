"""Child processes: results, errors, limits and deaths."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import psutil
import pytest

from cbi_common.core.errors import DataError, JobError
from cbi_common.runtime import offspring
from cbi_common.runtime.offspring import CAN_FORK
from cbi_common.runtime.workers import JobResult, Workers

JOBS = "cbi_common.testing.jobs"


def run(name: str, argument: dict[str, object], cpu_limit_s: float = 30) -> JobResult:
    async def go() -> JobResult:
        return await Workers(slots=2, cpu_limit_s=cpu_limit_s).run(f"{JOBS}:{name}", argument)

    return asyncio.run(go())


def test_a_job_returns_its_value_and_its_cost_although_it_prints() -> None:
    result = run("double", {"n": 21})
    assert result.value == {"n": 42}
    assert 0 < result.cpu_s < 30
    assert result.wall_s > 0
    assert 5 < result.peak_mb < 500


def test_large_arguments_and_results_pass() -> None:
    text = "ä" * 500_000
    assert run("double", {"n": text}).value == {"n": text * 2}


def test_peak_memory_is_the_childs_own() -> None:
    ballast = b"x" * (300 << 20)
    assert run("double", {"n": 1}).peak_mb < 200, len(ballast)
    assert 200 < run("hold", {"mb": 200}).peak_mb < 400


def test_a_job_runs_alone_on_one_thread_with_fixed_hashes_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = ["CBI_NATS_PASSWORD", "CBI_SMTP_PASSWORD"]
    for name in passwords:
        monkeypatch.setenv(name, "s3cret")
    threads = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    value = run("environment", {"names": [*threads, "PYTHONHASHSEED", *passwords]}).value
    expected = {**dict.fromkeys(threads, "1"), "PYTHONHASHSEED": "0", **dict.fromkeys(passwords), "group": True}
    assert value == expected


def test_our_errors_come_back_as_themselves() -> None:
    with pytest.raises(DataError) as caught:
        run("refuse", {})
    assert (caught.value.what, caught.value.where) == ("a column is missing", "table prices")
    assert caught.value.hint == "export it again"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crash", "ZeroDivisionError: by nothing at all"),
        ("not_a_number", "ValueError"),
        ("leave", "ended with status 7: last words"),
        ("absent", "AttributeError"),
    ],
)
def test_any_other_end_is_a_job_error_on_one_line(name: str, said: str) -> None:
    with pytest.raises(JobError) as caught:
        run(name, {})
    assert said in caught.value.line()
    assert "\n" not in caught.value.line()


def test_a_job_that_burns_too_much_cpu_is_stopped() -> None:
    with pytest.raises(JobError, match="ran past its limit of 1 CPU seconds"):
        run("burn", {}, cpu_limit_s=1)


def test_a_job_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(JobError, match="did not end in 1 s"):
        run("sleep", {"seconds": 60, "pid_file": str(pids)}, cpu_limit_s=0.1)
    _assert_gone(pids)


def test_a_job_killed_from_outside_is_run_again(tmp_path: Path) -> None:
    assert run("killed_until", {"folder": str(tmp_path), "times": 2}).value == {"attempt": 3}


def test_a_job_that_is_always_killed_fails(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="was killed 3 times"):
        run("killed_until", {"folder": str(tmp_path), "times": 99})
    assert len(list(tmp_path.iterdir())) == 3


def test_cancelling_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def go() -> None:
        workers = Workers(slots=1, cpu_limit_s=30)
        task = asyncio.create_task(workers.run(f"{JOBS}:sleep", {"seconds": 60, "pid_file": str(pids)}))
        await asyncio.to_thread(_wait_for, pids)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await workers.run(f"{JOBS}:double", {"n": 1})).value == {"n": 2}

    asyncio.run(go())
    _assert_gone(pids)


def test_no_more_jobs_than_slots_run_at_a_time() -> None:
    async def go() -> list[JobResult]:
        workers = Workers(slots=2, cpu_limit_s=30)
        return await asyncio.gather(*(workers.run(f"{JOBS}:span", {"seconds": 0.3}) for _ in range(4)))

    spans = [(result.value["began"], result.value["ended"]) for result in asyncio.run(go())]
    assert max(sum(began <= other < ended for began, ended in spans) for other, _ in spans) == 2


def test_what_nobody_waits_for_takes_no_slot_and_comes_last_on_the_machine(tmp_path: Path) -> None:
    async def go() -> list[int]:
        workers = Workers(slots=1, cpu_limit_s=30)
        tasks, files = [], [tmp_path / name for name in ("before", "behind")]
        for runner, file in zip((workers, workers.behind), files, strict=True):
            tasks.append(asyncio.create_task(runner.run(f"{JOBS}:sleep", {"seconds": 60, "pid_file": str(file)})))
            await asyncio.to_thread(_wait_for, file)
        niceness = [psutil.Process(int(file.read_text().split()[0])).nice() for file in files]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return niceness

    before, behind = asyncio.run(go())
    assert before < behind == 10


def test_a_child_and_what_it_started_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import asyncio\n"
        "from cbi_common.runtime.workers import Workers\n"
        f"asyncio.run(Workers(1, 30).run('{JOBS}:sleep', {{'seconds': 60, 'pid_file': {str(pids)!r}}}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    _wait_for(pids)
    parent.kill()
    parent.wait()
    _assert_gone(pids)


@pytest.mark.skipif(not CAN_FORK, reason="children are started anew on this system")
def test_a_nursery_that_dies_is_replaced_and_its_children_run_again(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def go() -> tuple[list[int], JobResult]:
        workers = Workers(slots=1, cpu_limit_s=30)
        task = asyncio.create_task(workers.run(f"{JOBS}:sleep", {"seconds": 1, "pid_file": str(pids)}))
        await asyncio.to_thread(_wait_for, pids)
        first = [int(pid) for pid in pids.read_text().split()]
        psutil.Process(first[0]).parent().kill()
        return first, await task

    first, result = asyncio.run(go())
    assert result.value == {}
    assert int(pids.read_text().split()[0]) not in first
    assert not any(_alive(pid) for pid in first)


def test_where_nothing_can_be_forked_children_are_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offspring, "CAN_FORK", False)
    assert run("double", {"n": 21}).value == {"n": 42}
    assert run("environment", {"names": ["PYTHONHASHSEED"]}).value == {"PYTHONHASHSEED": "0", "group": True}
    assert run("killed_until", {"folder": str(tmp_path), "times": 1}).value == {"attempt": 2}
    with pytest.raises(JobError, match="last words"):
        run("leave", {})


def test_what_the_nursery_imports_loads_no_optional_part_for_everybody() -> None:
    jobs = [f"{point.value.partition('.')[0]}.jobs" for point in entry_points(group="cbi.services")]
    program = (
        "import importlib.util, sys\n"
        f"for name in {jobs!r}:\n"
        "    if importlib.util.find_spec(name): importlib.import_module(name)\n"
        "print(sorted({'pandas', 'numba', 'scipy', 'sklearn', 'tensorflow', 'matplotlib', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not file.exists() or not file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _assert_gone(file: Path) -> None:
    deadline = time.monotonic() + 3
    pids = [int(pid) for pid in file.read_text().split()]
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, pids
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
