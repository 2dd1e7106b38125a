"""Running a contender of a contest in its own environment, and what that cost."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import sha256_hex
from cbi_common.testing.contest import Course, Forecasts, read_forecasts

FOLDER = Path("tests/benchmarks/peers")
ENVIRONMENT = Path("var/peers")
KEPT = Path("var/bench/peers")
_SHARED = ("problem.py", "requirements.txt")


@dataclass(frozen=True)
class Peer:
    """A script of `FOLDER` and the grid of cutoffs, in sessions, that it is asked for."""

    script: str
    every: int
    timeout_s: float = 7200


@dataclass(frozen=True)
class Cost:
    """What an answer cost: the whole process with its imports and children."""

    cutoffs: int
    fits: int
    cpu_s: float
    wall_s: float
    versions: Mapping[str, str]
    made_at: str


@dataclass(frozen=True)
class Answer:
    """What a peer said, under one name or several, and its cost."""

    peer: Peer
    forecasts: Mapping[str, Mapping[Horizon, Forecasts]]
    cost: Cost


def ask(peer: Peer, course: Course) -> Answer:
    """Return a peer's answer: kept from before where its code, its pins and the problem are the same, else made now.

    Raises
    ------
    FileNotFoundError
        Without the peers' environment.
    RuntimeError
        When the peer fails; its last words are told.
    """
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"no environment for the peers in {ENVIRONMENT}: `make bench` creates it")
    problem = KEPT / f"{peer.script}.problem"
    cutoffs = course.write(problem, peer.every, threads=1)
    sources = [*(FOLDER / name for name in (f"{peer.script}.py", *_SHARED)), *sorted(problem.iterdir())]
    place = KEPT / f"{peer.script}-{sha256_hex(b''.join(file.read_bytes() for file in sources))[:12]}"
    cost = place / "cost.json"
    if not cost.exists():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(problem, place)
        spent = _run([str(python), str(FOLDER / f"{peer.script}.py"), str(place)], peer.timeout_s)
        made = json.loads((place / "made.json").read_text())
        now = datetime.now(UTC).isoformat(timespec="minutes")
        found = Cost(cutoffs, made["fits"], *spent, made["versions"], now)
        cost.write_text(json.dumps(asdict(found)))
    return Answer(peer, read_forecasts(place / "forecasts.csv"), Cost(**json.loads(cost.read_text())))


def _run(command: list[str], timeout_s: float) -> tuple[float, float]:
    """Run it and return CPU and wall seconds."""
    # Nothing is loaded from a hub, and what is small runs slower on two threads than on one.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[1]} ended with status {done.returncode}:\n{done.stderr[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall
