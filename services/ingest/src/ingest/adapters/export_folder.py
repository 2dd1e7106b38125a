"""The folder that `cbi export` writes into: whole files or none, and nobody else's overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbi_common.core.errors import InfrastructureError, UsageError

MANIFEST = "manifest.json"


class ExportFolder:
    """A folder of exported files and their manifest.

    A file is ours when the manifest that lies there names it with the checksum it has: edited since, or put there by
    somebody else, it is not.

    Parameters
    ----------
    path : Path
        Made when it does not exist.
    force : bool
        Overwrite whatever has one of our names.

    Raises
    ------
    UsageError
        When it is a file.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self._path, self._force = path, force
        if path.exists() and not path.is_dir():
            raise UsageError("is no folder", where=str(path), hint="give --to a folder")

    def write(self, files: Mapping[str, bytes], manifest: bytes) -> None:
        """Write all files, then the manifest, and remove ours of an earlier export that are not written any more.

        Raises
        ------
        UsageError
            When a file of one of the names is not ours; nothing has been written then.
        InfrastructureError
            When the folder cannot be written.
        """
        try:
            earlier = self._earlier()
            known = earlier or {}
            if not self._force:
                self._refuse_foreign(files, known)
                if earlier is None:
                    self._refuse_foreign({MANIFEST: manifest}, known)
            self._path.mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                self._write(name, data)
            for name in sorted(known.keys() - files.keys()):
                if self._checksum(name) == known[name]:
                    (self._path / name).unlink()
            self._write(MANIFEST, manifest)
        except OSError as error:
            raise InfrastructureError(
                f"cannot write: {error.strerror or error}", where=str(self._path), hint="check the folder and the disk"
            ) from error

    def _refuse_foreign(self, files: Mapping[str, bytes], known: Mapping[str, str]) -> None:
        for name, data in files.items():
            if self._checksum(name) not in (None, known.get(name), hashlib.sha256(data).hexdigest()):
                raise UsageError(
                    "was not written by `cbi export`, or changed since",
                    where=str(self._path / name),
                    hint="give another folder, or --force to overwrite it",
                )

    def _earlier(self) -> dict[str, str] | None:
        """Return the files of our manifest in the folder with their checksums, None when there is no such manifest."""
        try:
            raw: Any = json.loads((self._path / MANIFEST).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(raw, dict) or raw.get("made_by") != "cbi export" or not isinstance(raw.get("files"), dict):
            return None
        # A name of the manifest never leads out of the folder.
        return {
            name: str(about["sha256"])
            for name, about in raw["files"].items()
            if Path(name).name == name and isinstance(about, dict) and "sha256" in about
        }

    def _checksum(self, name: str) -> str | None:
        path = self._path / name
        if not path.exists() and not path.is_symlink():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _write(self, name: str, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._path, prefix=f".{name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, self._path / name)
        except BaseException:
            os.unlink(temporary)
            raise
