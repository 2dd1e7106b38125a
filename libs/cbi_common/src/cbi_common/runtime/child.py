"""What runs in a worker's child process: one job, its order and its answer as JSON in two inherited files.

stdout and stderr are left to the libraries, which print there. stdin is a lifeline that the parent holds open for as
long as it lives: its end is the order to die.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from cbi_common.core.errors import CbiError
from cbi_common.core.identity import canonical_json
from cbi_common.training.lean_import import arrow_without_pandas

Job = Callable[[dict[str, Any]], dict[str, Any]]

_GRACE_S = 5


def main(order_fd: int, answer_fd: int) -> None:
    """Run one job and exit."""
    threading.Thread(target=_die_with_lifeline, daemon=True).start()
    with os.fdopen(order_fd, "rb") as file:
        order = json.load(file)
    os.nice(order["niceness"])
    _limit_cpu(order["cpu_limit_s"])
    sys.excepthook = partial(_tell_failure, answer_fd)
    arrow_without_pandas()
    value = _function(order["entry"])(order["argument"])
    _tell(answer_fd, {"value": value, "cpu_s": _cpu_s(), "peak_mb": _peak_mb()})


def _die_with_lifeline() -> None:
    # Not the kernel's own tie to the parent: that kills this process alone and leaves what a library started.
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def _limit_cpu(seconds: float) -> None:
    soft = max(1, math.ceil(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + _GRACE_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _function(entry: str) -> Job:
    module, _, name = entry.partition(":")
    function: Job = getattr(importlib.import_module(module), name)
    return function


def _tell(answer_fd: int, answer: dict[str, Any]) -> None:
    payload = canonical_json(answer)
    with os.fdopen(answer_fd, "wb") as file:
        file.write(payload)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # what libraries do at interpreter exit may hang or crash, and all is said


def _tell_failure(answer_fd: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, CbiError):
        told = {"kind": kind.__name__, "what": error.what, "where": error.where, "hint": error.hint}
    else:
        told = {"kind": None, "what": traceback.format_exception_only(error)[-1].strip()}
    _tell(answer_fd, {"error": told, "traceback": "".join(traceback.format_exception(kind, error, trace))})


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_mb() -> float:
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # Linux counts the parent's memory at fork into ru_maxrss; the high-water mark belongs to this program alone.
    with open("/proc/self/status", encoding="ascii") as status:
        mark = next(line for line in status if line.startswith("VmHWM:"))
    return int(mark.split()[1]) / 1024


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
