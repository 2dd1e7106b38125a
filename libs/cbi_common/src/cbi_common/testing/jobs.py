"""Jobs for tests of the workers: what a job can do right and wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cbi_common.core.errors import DataError


def double(arg: dict[str, Any]) -> dict[str, Any]:
    """Return twice ``n``, after printing to where libraries print."""
    sys.stdout.write("noise on stdout\n")
    sys.stderr.write("noise on stderr\n")
    return {"n": 2 * arg["n"]}


def environment(arg: dict[str, Any]) -> dict[str, Any]:
    return {name: os.environ.get(name) for name in arg["names"]} | {"group": os.getpgrp() == os.getpid()}


def refuse(arg: dict[str, Any]) -> dict[str, Any]:
    raise DataError("a column is missing", where="table prices", hint="export it again")


def crash(arg: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("by nothing\nat all")


def not_a_number(arg: dict[str, Any]) -> dict[str, Any]:
    return {"x": float("nan")}


def leave(arg: dict[str, Any]) -> dict[str, Any]:
    sys.stderr.write("last words\n")
    raise SystemExit(7)


def burn(arg: dict[str, Any]) -> dict[str, Any]:
    while True:
        pass


def hold(arg: dict[str, Any]) -> dict[str, Any]:
    """Take ``mb`` mebibytes."""
    return {"bytes": len(b"x" * (int(arg["mb"]) << 20))}


def sleep(arg: dict[str, Any]) -> dict[str, Any]:
    """Write the process id into ``pid_file`` and sleep, with a child of its own that would outlive it."""
    grandchild = subprocess.Popen(["sleep", "600"])
    Path(arg["pid_file"]).write_text(f"{os.getpid()} {grandchild.pid}", encoding="utf-8")
    time.sleep(arg["seconds"])
    grandchild.kill()
    grandchild.wait()
    return {}


def span(arg: dict[str, Any]) -> dict[str, Any]:
    """Take ``seconds``; tell when it began and ended, on the clock that all processes share."""
    began = time.monotonic()
    time.sleep(arg["seconds"])
    return {"began": began, "ended": time.monotonic()}


def killed_until(arg: dict[str, Any]) -> dict[str, Any]:
    """Be killed in the first ``times`` attempts, as the kernel does when memory is short."""
    marks = Path(arg["folder"])
    attempt = len(list(marks.iterdir())) + 1
    (marks / str(attempt)).touch()
    if attempt <= arg["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": attempt}
