"""Ties a child's life to its parent's: a parent killed without warning leaves no orphan.

Run as ``python -m cbi_common.runtime.tether PARENT_PID PROGRAM ARGUMENT…`` it becomes PROGRAM, which the kernel
kills when the parent dies. Only Linux knows how; elsewhere it starts untied and its owner cleans up at the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def command(program: list[str]) -> list[str]:
    """Return the command line that starts ``program`` tied to this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *program]


def _die_with_parent(parent_pid: int) -> None:
    # The request survives exec.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the request was made
        os._exit(1)


if __name__ == "__main__":
    _die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  # fixed argument list from `command`
