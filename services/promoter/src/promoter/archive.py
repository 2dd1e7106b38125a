"""A folder as one archive: identical bytes for identical content, and never a file outside of the folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from cbi_common.core.errors import InfrastructureError

_EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(folder: Path) -> bytes:
    """Return a folder as a ZIP archive with identical bytes for identical content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as whole:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            whole.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Write an archive's files into a folder.

    Raises
    ------
    InfrastructureError
        When it is no archive of ours, or names a file outside of the folder.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as whole:
            # Ours are stored as they are: what claims to be more than it is would fill the disk.
            members = whole.infolist()
            packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
            if packed or sum(member.file_size for member in members) > len(data):
                raise InfrastructureError("the archive holds more than it is", where="package", hint="promote again")
            for name in whole.namelist():
                if not (folder / name).resolve().is_relative_to(folder.resolve()):
                    raise InfrastructureError(f"the archive names a file outside of it: {name!r}", where="package")
            whole.extractall(folder)
    except zipfile.BadZipFile as error:
        raise InfrastructureError(f"not an archive: {error}", where="package", hint="promote again") from error
