"""How requests are shared between versions."""

from __future__ import annotations


def shrunk(traffic: dict[str, int], total: int) -> dict[str, int]:
    """Return shares in proportion to what they were that sum to at most ``total``.

    >>> shrunk({"a": 60, "b": 40}, 50)
    {'a': 30, 'b': 20}
    """
    whole = sum(traffic.values())
    return {version: share * total // whole for version, share in traffic.items()}
