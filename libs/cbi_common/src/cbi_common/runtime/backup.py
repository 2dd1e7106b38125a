"""A stack as one file: its lake, the store of its bus, its tracking database.

The bus writes its store in place, so a copy of a running one is none; the lock of the stack is held meanwhile.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple
from urllib.parse import urlparse

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.runtime.lock import StackLock, occupied
from cbi_common.runtime.settings import Settings

_LAKE, _STACK = "lake", "stack"
_OF_THE_MOMENT = ("lock", "stack.json")
_LEVEL = 1  # most of a lake is compressed already; what gzip adds is a checksum


class Copied(NamedTuple):
    """What a backup or a restore has moved."""

    files: int
    size_bytes: int
    """Of the files, not of the archive."""
    lake: bool
    """Whether the lake is in it; one in a bucket is not."""


def back_up(settings: Settings, to: Path) -> Copied:
    """Write the stack of ``settings`` to an archive, which is there whole or not at all.

    Raises
    ------
    UsageError
        When the bus is elsewhere, there is nothing to copy, or the archive would lie in what it copies.
    InfrastructureError
        When a stack is running, or a file cannot be read or written.
    """
    lake, stack = _places(settings)
    if not stack.exists():
        raise UsageError("nothing has run here", where=f"lake {settings.lake}", hint="name the lake with --lake DIR")
    if to.resolve().is_relative_to((lake or stack).resolve()):
        raise UsageError("lies in what is to be copied", where=str(to), hint="name a file outside of the lake")
    with _alone(settings), _trouble(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=to.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                copied = _written(file, lake, stack)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, to)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return copied


def restore(archive: Path, settings: Settings) -> Copied:
    """Unpack an archive to where ``settings`` have the lake and the stack; nothing may be there.

    Raises
    ------
    UsageError
        When something is there, the bus is elsewhere, or the archive is none of ours.
    InfrastructureError
        When the archive is damaged or a file cannot be written; nothing is left then.
    """
    lake, stack = _places(settings)
    for place in (lake, stack):
        if place is not None and place.exists() and any(place.iterdir()):
            raise UsageError("not empty", where=str(place), hint="move it away, or name another with --lake DIR")
    root = lake or stack
    with _trouble(archive):
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".part-") as temporary:
            unpacked = Path(temporary) / "whole"
            copied = _read(archive, unpacked, unpacked / ".stack" if lake else unpacked)
            if copied.lake is not (lake is not None):
                raise UsageError(
                    "holds a lake" if copied.lake else "holds no lake: it was in a bucket", where=str(archive),
                    hint="restore to the kind of lake that was copied",
                )  # fmt: skip
            if root.exists():
                root.rmdir()
            unpacked.rename(root)
    return copied


def _places(settings: Settings) -> tuple[Path | None, Path]:
    """Return the folders of the lake, None when it is in a bucket, and of the stack."""
    if settings.nats_url is not None:
        raise UsageError(
            "the bus is elsewhere", where="CBI_NATS_URL", hint="docs/playbook.md says how its volumes are copied"
        )
    parsed = urlparse(settings.lake)
    return (Path(parsed.path) if parsed.scheme in ("", "file") else None), settings.stack_dir


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    lock = StackLock(settings.stack_dir)
    if not lock.try_acquire():
        raise occupied(lock, settings)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _trouble(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InfrastructureError(
            f"damaged, or no backup: {error}", where=str(archive), hint="use another; nothing was changed"
        ) from error
    except OSError as error:
        where = str(error.filename or archive)
        raise InfrastructureError(f"cannot copy: {error.strerror or error}", where=where) from error


def _written(file: IO[bytes], lake: Path | None, stack: Path) -> Copied:
    files = size = 0
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_LEVEL) as whole:
        for kind, place in ((_STACK, stack), *([(_LAKE, lake)] if lake else [])):
            for path in sorted(place.rglob("*")):
                if not path.is_file() or (kind == _LAKE and path.is_relative_to(stack)):
                    continue
                if path.name.startswith(".part-") or (path.parent == stack and path.name in _OF_THE_MOMENT):
                    continue
                whole.add(path, f"{kind}/{path.relative_to(place).as_posix()}", recursive=False)
                files, size = files + 1, size + path.stat().st_size
    return Copied(files, size, lake is not None)


def _read(archive: Path, lake: Path, stack: Path) -> Copied:
    files = size = 0
    kinds = set()
    with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as whole:
        for member in whole:
            kind, *parts = PurePosixPath(member.name).parts
            source = whole.extractfile(member) if member.isreg() else None
            if source is None or kind not in (_LAKE, _STACK) or not parts or ".." in parts:
                raise UsageError(f"names {member.name!r}, which no backup has", where=str(archive))
            kinds.add(kind)
            path = (lake if kind == _LAKE else stack).joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with source, path.open("wb") as file:
                while chunk := source.read(1 << 20):
                    size += file.write(chunk)
            path.chmod(member.mode & 0o777)
            files += 1
        # To the end, where the checksum is: tarfile takes a damaged header for the end of the archive.
        while stream.read(1 << 20):
            pass
    if _STACK not in kinds:
        raise UsageError("not a backup of a stack", where=str(archive), hint="`cbi backup --to FILE` makes one")
    return Copied(files, size, _LAKE in kinds)
