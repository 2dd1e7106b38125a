"""Whether a nats-server can still write: one whose disk was full refuses every message until it is started again."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

_ANSWER_S = 5.0
_WRITE_ERROR = "write error"
_ROOM_BYTES = 8 << 20


async def write_error(port: int) -> str | None:
    """Return what the server says about a stream that it could not write, None when all is well or it is away.

    Parameters
    ----------
    port : int
        Its monitoring port on the loopback interface.
    """
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    try:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return None
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, str) and _WRITE_ERROR in error else None


def has_room(folder: Path) -> bool:
    """Return whether the disk of a folder has room for a server to start and go on."""
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize >= _ROOM_BYTES
