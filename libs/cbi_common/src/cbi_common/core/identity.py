"""Content identities: canonical JSON, digests, deterministic event ids."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

# Any fixed UUID serves; changing it changes every event id ever issued.
_NAMESPACE = uuid.UUID("6f1f6c1e-2b0a-5f55-9f0c-1d1c6d6f0cb1")


def canonical_json(value: Any) -> bytes:
    """Serialise to JSON with one representation per value: sorted keys, no spaces, no NaN.

    Raises
    ------
    ValueError
        For NaN or infinity: a missing value is ``null`` with a reason, never a NaN.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(*parts: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of ``parts``.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical_json(list(parts))).hexdigest()


def sha256_hex(data: bytes | memoryview) -> str:
    """Return the SHA-256 (hex) of raw bytes."""
    return hashlib.sha256(data).hexdigest()


def derived_id(cause: str, kind: str, discriminator: str = "") -> str:
    """Return the id of what ``cause`` leads to: equal arguments give equal ids, so a retry publishes the same id."""
    return str(uuid.uuid5(_NAMESPACE, f"{cause}|{kind}|{discriminator}"))
