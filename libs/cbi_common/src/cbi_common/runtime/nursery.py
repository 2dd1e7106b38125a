"""The process that children are forked from: what all jobs import, it has imported once.

It reads one request per packet from a socket, with the child's files as ancillary data, answers with the child's
process id, and later tells how the child ended. It never works itself and starts no thread, so that a fork of it is as
good as new.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from functools import cache
from typing import Any, NoReturn

from setproctitle import getproctitle, setproctitle

from cbi_common.runtime import child
from cbi_common.training.lean_import import arrow_without_pandas

PACKET_BYTES = 128 * 1024
FILES = 4
"""Order, answer, lifeline, and what takes the child's stdout and stderr."""


def main(channel_fd: int) -> None:
    """Fork children until the other end of the channel is closed."""
    channel = socket.socket(fileno=channel_fd)
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    arrow_without_pandas()
    getproctitle()  # it finds the place of the title as long as the environment is as it was
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == woken:
                    with suppress(BlockingIOError):
                        os.read(woken, 4096)
                    _reap(channel)
                elif not _serve(channel, (woken, wake)):
                    return


def _serve(channel: socket.socket, own: tuple[int, int]) -> bool:
    packet, files, _, _ = socket.recv_fds(channel, PACKET_BYTES, FILES)
    if not packet:
        return False
    request = json.loads(packet)
    _prepare(request["entry"].partition(":")[0])
    gc.freeze()  # the collector would write to every page that is shared
    pid = os.fork()
    if pid == 0:
        _become(request, files, (channel.fileno(), *own))
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # on both sides, for whoever is told the id may kill the group at once
    for file in files:
        os.close(file)
    _tell(channel, {"number": request["number"], "pid": pid})
    return True


@cache
def _prepare(module: str) -> None:
    """Import a job's module, and what its function ``warm`` loads if it has one, once for all its children."""
    with suppress(Exception):  # a module that cannot be imported is the child's to report
        getattr(importlib.import_module(module), "warm", _nothing)()


def _nothing() -> None:
    pass


def _become(request: dict[str, Any], files: list[int], inherited: tuple[int, ...]) -> NoReturn:
    order, answer, lifeline, spoken = files
    with suppress(PermissionError):
        os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file in inherited:
        os.close(file)
    for source, target in ((lifeline, 0), (spoken, 1), (spoken, 2)):
        os.dup2(source, target)
    os.close(lifeline)
    os.close(spoken)
    os.environ.clear()
    os.environ.update(request["environment"])
    setproctitle(f"{sys.executable} -m {child.__name__} {request['name']}")
    status = 1
    try:
        child.main(order, answer)
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _reap(channel: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(channel, {"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(channel: socket.socket, answer: dict[str, int]) -> None:
    with suppress(BrokenPipeError):  # whoever asked is gone, and with it the children's lifelines
        channel.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
