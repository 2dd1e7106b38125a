"""A file system of its own that a test can fill; making one takes root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PIECES = (1 << 20, 1 << 12)


@contextmanager
def small_disk(folder: Path, megabytes: int = 64) -> Iterator[Path]:
    """Put a file system of ``megabytes`` on a folder that is made."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(handle: int) -> None:
    """Let an open file take what its file system has left, to the last block."""
    for piece in _PIECES:
        with suppress(OSError):
            while True:
                os.posix_fallocate(handle, os.fstat(handle).st_size, piece)
