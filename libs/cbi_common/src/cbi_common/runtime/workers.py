"""Heavy work in child processes: one spawned Python per job, its limits, its death, its result."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import tempfile
import time
from contextlib import ExitStack, suppress
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any, Self

from cbi_common.core import errors
from cbi_common.core.errors import CbiError, InfrastructureError, JobError
from cbi_common.runtime import telemetry
from cbi_common.runtime.offspring import Child, Files, Offspring

_log = logging.getLogger(__name__)

# One thread per job: parallelism is across jobs, and a sum over several threads differs from run to run.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ARROW_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_ENVIRONMENT = {**dict.fromkeys(_THREADS, "1"), "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
_ATTEMPTS = 3
_WALL_PER_CPU = 10
_TAIL_BYTES = 20_000
_NICENESS, _LAST = 5, 10
"""The parent's event loop must stay able to say that the job is in progress; and of what nobody waits for."""


@dataclass(frozen=True)
class JobResult:
    """What a job returned and what it cost: CPU and wall seconds, peak resident memory in MiB."""

    value: dict[str, Any]
    cpu_s: float
    wall_s: float
    peak_mb: float


class Workers:
    """Runs jobs, at most ``slots`` at a time; a cancelled job's process group is killed.

    Parameters
    ----------
    slots : int
        Children that work at a time.
    cpu_limit_s : float
        CPU seconds that a job may use unless its call says otherwise; ten times as long is the limit on the clock.
    """

    def __init__(self, slots: int, cpu_limit_s: float) -> None:
        self.slots = slots
        self._cpu_limit_s = cpu_limit_s
        self._niceness = _NICENESS
        self._offspring = Offspring(_ENVIRONMENT)
        self._free = asyncio.Semaphore(slots)

    @cached_property
    def behind(self) -> Self:
        """Workers beside these for what nobody waits for: one job at a time, which takes no slot from the others."""
        other = copy(self)
        other.slots, other._niceness, other._free = 1, _LAST, asyncio.Semaphore(1)
        return other

    async def run(
        self, entry: str, argument: dict[str, Any], *, cpu_limit_s: float | None = None, label: str = ""
    ) -> JobResult:
        """Run ``entry`` with ``argument`` in a child process.

        A child that something kills (the kernel when memory is short, a person) is started again, three times in all.

        Parameters
        ----------
        entry : str
            ``package.module:function``; the function takes and returns a JSON object.
        argument : dict
            What it is called with.
        cpu_limit_s : float, optional
            CPU seconds it may use.
        label : str
            What the log and the process list call it.

        Raises
        ------
        CbiError
            The child's own error, of its own class.
        JobError
            Any other exception of the child; or it ran past its limit, or was killed three times.
        """
        limit = cpu_limit_s if cpu_limit_s is not None else self._cpu_limit_s
        name = label or entry
        limits = {"cpu_limit_s": limit, "niceness": self._niceness}
        order = _Order(entry, name, json.dumps({"entry": entry, "argument": argument, **limits}).encode())
        with telemetry.JOBS_WAITING.track_inprogress():
            await self._free.acquire()
        try:
            with telemetry.JOBS_RUNNING.track_inprogress():
                return await self._until_it_ends(order, limit)
        finally:
            self._free.release()

    async def _until_it_ends(self, order: _Order, limit: float) -> JobResult:
        telemetry.expect_job(order.entry)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                result = await _attempt(self._offspring, order, limit)
            except CbiError:
                telemetry.JOBS.labels(order.entry, "failed").inc()
                raise
            if result is not None:
                _told(order.entry, result)
                return result
            telemetry.JOBS.labels(order.entry, "killed").inc()
            _log.warning("a job was killed from outside", extra={"job": order.name, "attempt": attempt})
        raise JobError(f"was killed {_ATTEMPTS} times", where=order.name, hint="is memory short? use fewer cores")


@dataclass(frozen=True)
class _Order:
    entry: str
    name: str
    payload: bytes


def _told(entry: str, result: JobResult) -> None:
    telemetry.JOBS.labels(entry, "done").inc()
    telemetry.JOB_SECONDS.labels(entry).observe(result.wall_s)
    telemetry.JOB_CPU_SECONDS.labels(entry).observe(result.cpu_s)
    telemetry.JOB_PEAK_BYTES.labels(entry).observe(result.peak_mb * 2**20)


async def _attempt(offspring: Offspring, order: _Order, cpu_limit_s: float) -> JobResult | None:
    """Run one child; None when something killed it."""
    started, name = time.monotonic(), order.name
    with ExitStack() as files:
        try:
            ordered, answered, spoken = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            ordered.write(order.payload)
            ordered.seek(0)
            lifeline_end, lifeline = os.pipe()
            files.callback(os.close, lifeline)
            files.callback(os.close, lifeline_end)
            given = Files(ordered.fileno(), answered.fileno(), lifeline_end, spoken.fileno())
            process = await offspring.start(order.entry, name, given, _environment())
        except OSError as error:
            raise InfrastructureError(f"cannot start a child process: {error}", where=name) from error
        status = await _end_of(process, _WALL_PER_CPU * cpu_limit_s, name)
        said = _tail(spoken)
        if said:
            _log.debug("a job said: %s", said, extra={"job": name})
        answer = _read(answered)
    if answer:
        return _result(json.loads(answer), name, time.monotonic() - started)
    if status == -signal.SIGXCPU:
        raise JobError(f"ran past its limit of {cpu_limit_s:g} CPU seconds", where=name)
    if status < 0:
        return None
    raise JobError(f"ended with status {status}: {said.splitlines()[-1] if said else 'it said nothing'}", where=name)


def _environment() -> dict[str, str]:
    # A job has no business on the bus, and writes no mail.
    inherited = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("CBI_NATS_", "CBI_SMTP_"))
    }
    return {**inherited, **_ENVIRONMENT}


async def _end_of(process: Child, limit_s: float, name: str) -> int:
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait()
    except TimeoutError as error:
        raise JobError(
            f"did not end in {limit_s:g} s", where=name, hint="it hangs, or the machine is overloaded"
        ) from error
    finally:
        # The group, not the process: a library may have started children of its own.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read().decode(errors="replace").strip()


def _result(answer: dict[str, Any], name: str, wall_s: float) -> JobResult:
    error = answer.get("error")
    if error is None:
        return JobResult(answer["value"], answer["cpu_s"], wall_s, answer["peak_mb"])
    if error["kind"] is None:
        _log.error("a job failed", extra={"job": name, "traceback": answer["traceback"]})
        raise JobError(error["what"], where=name)
    raise _error_class(error["kind"])(error["what"], where=error["where"], hint=error["hint"])


def _error_class(name: str) -> type[CbiError]:
    found = getattr(errors, name, JobError)
    return found if isinstance(found, type) and issubclass(found, CbiError) else JobError
