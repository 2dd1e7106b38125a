"""Content-addressed object store on any fsspec URL.

An object is stored in two steps, each atomic: its bytes under their own SHA-256 (``cas/``), then a small reference
under its name (``refs/``). A crash between the two leaves an orphan blob and no half-written object; a damaged blob is
found by its checksum and counts as missing, so it is made again.
"""

from __future__ import annotations

import errno
import json
import os
import re
from typing import Any
from urllib.parse import urlparse

import fsspec

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import canonical_json, sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.storage.whole_files import write_whole

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+")


class Lake:
    """Immutable objects by name.

    Parameters
    ----------
    url : str
        A folder or any fsspec URL (``gs://bucket/prefix``).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = urlparse(url)
        self._local = parsed.scheme in ("", "file")
        try:
            # A listing that is remembered hides what other processes have stored since.
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise UsageError(
                str(error), where=f"lake {url}", hint="give a folder or a URL such as gs://bucket/lake"
            ) from error
        self._root = os.path.abspath(root) if self._local else root.rstrip("/")

    def find(self, key: str) -> LakeRef | None:
        """Return the reference stored under ``key``, or None; the blob itself is verified when it is read."""
        try:
            raw = self._read(self._ref_path(key))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None  # nothing, or another key's file where this one would have a folder
        try:
            ref = LakeRef.model_validate_json(raw)
        except ValueError:
            return None
        return ref if self._fs.exists(self._blob_path(ref.sha256)) else None

    def put(self, key: str, data: bytes) -> LakeRef:
        """Store ``data`` under ``key``; storing the same again changes nothing.

        Raises
        ------
        InfrastructureError
            When the store is full or cannot be written.
        """
        path = self._ref_path(key)
        ref = LakeRef(key=key, sha256=sha256_hex(data), size_bytes=len(data))
        try:
            blob = self._blob_path(ref.sha256)
            if not self._intact(blob, ref):
                self._write(blob, data)
            self._write(path, canonical_json(ref.model_dump()))
        except OSError as error:
            raise self._trouble(error) from error
        return ref

    def get(self, ref: LakeRef) -> bytes:
        """Return the bytes of ``ref``.

        Raises
        ------
        InfrastructureError
            When the object is missing or damaged.
        """
        try:
            data = self._read(self._blob_path(ref.sha256))
        except FileNotFoundError as error:
            raise InfrastructureError(
                "object is missing", where=f"lake {ref.key}", hint="run again to make it anew"
            ) from error
        if sha256_hex(data) != ref.sha256:
            self._discard(ref)
            raise InfrastructureError(
                "object was damaged and is removed", where=f"lake {ref.key}", hint="run again to make it anew"
            )
        return data

    def get_if_intact(self, key: str) -> bytes | None:
        """Return the bytes under ``key``, or None when there is none or it is damaged."""
        ref = self.find(key)
        if ref is None:
            return None
        try:
            return self.get(ref)
        except InfrastructureError:
            return None

    def put_json(self, key: str, value: Any) -> LakeRef:
        """Store a JSON value."""
        return self.put(key, canonical_json(value))

    def get_json(self, ref: LakeRef) -> Any:
        """Return a JSON value."""
        return json.loads(self.get(ref))

    def _ref_path(self, key: str) -> str:
        if len(key) > 300 or not _KEY.fullmatch(key):
            raise InfrastructureError(f"{key[:80]!r} is not a lake key", where="lake", hint="report this as a bug")
        return f"{self._root}/refs/{key}.json"

    def _blob_path(self, sha256: str) -> str:
        return f"{self._root}/cas/{sha256[:2]}/{sha256}"

    def _intact(self, path: str, ref: LakeRef) -> bool:
        try:
            return sha256_hex(self._read(path)) == ref.sha256
        except FileNotFoundError:
            return False

    def _discard(self, ref: LakeRef) -> None:
        for path in (self._ref_path(ref.key), self._blob_path(ref.sha256)):
            if self._fs.exists(path):
                self._fs.rm_file(path)

    def _read(self, path: str) -> bytes:
        if self._local:
            with open(path, "rb") as file:
                return file.read()
        data: bytes = self._fs.cat_file(path)
        return data

    def _write(self, path: str, data: bytes) -> None:
        if self._local:
            write_whole(path, data)
        else:
            self._fs.pipe_file(path, data)  # object stores publish a whole object or none

    def _trouble(self, error: OSError) -> InfrastructureError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return InfrastructureError(
                "the disk is full",
                where=f"lake {self.url}",
                hint="free space or use --lake DIR, then run again: finished work is kept",
            )
        return InfrastructureError(
            f"cannot write: {error.strerror or error}",
            where=f"lake {self.url}",
            hint="check the folder and its permissions",
        )
