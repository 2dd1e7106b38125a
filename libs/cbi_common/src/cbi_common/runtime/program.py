"""Which program this is: a digest of its source, for proofs that hold for it and for no other."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path


@cache
def program_digest() -> str:
    """Return the digest of every source and data file of the library and of the services installed here."""
    packages = {"cbi_common", *(entry.module.partition(".")[0] for entry in entry_points(group="cbi.services"))}
    found = hashlib.sha256()
    for package in sorted(packages):
        spec = find_spec(package)
        for root in sorted((spec.submodule_search_locations if spec else None) or ()):
            for file in sorted(Path(root).rglob("*")):
                if file.suffix in (".py", ".toml") and "testing" not in file.parts:
                    found.update(f"{package}/{file.relative_to(root).as_posix()}".encode())
                    found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
