"""Articles that were there before, word for word or nearly: MinHash of word triples (Broder, 1997)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAME = 0.85
"""Jaccard similarity of two articles' word triples from which the later one is a copy. A headline and a sentence of
which one number differs are below it: another number is other news."""

_BANDS, _PER_BAND = 16, 4
"""Two articles are compared when all hashes of a band agree: at a similarity of 0.85 missed once in 100,000."""

_rng = np.random.default_rng(1997)
_FACTORS = _rng.integers(1, 2**63, _BANDS * _PER_BAND, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _rng.integers(0, 2**63, _BANDS * _PER_BAND, dtype=np.uint64)


class Seen:
    """The articles so far.

    What it says of an article depends on those shown to it before, so later ones change nothing.
    """

    def __init__(self) -> None:
        self._kept: list[frozenset[int]] = []
        self._exact: set[tuple[str, ...]] = set()
        self._buckets: dict[tuple[int, bytes], list[int]] = {}

    def add(self, words: Sequence[str]) -> Literal["duplicate", "near_duplicate"] | None:
        """Remember an article by its words, or say what it repeats."""
        if tuple(words) in self._exact:
            return "duplicate"
        self._exact.add(tuple(words))
        triples = shingles(words)
        bands = list(_bands(triples))
        candidates = {number for band in bands for number in self._buckets.get(band, ())}
        if any(jaccard(triples, self._kept[number]) >= SAME for number in candidates):
            return "near_duplicate"
        for band in bands:
            self._buckets.setdefault(band, []).append(len(self._kept))
        self._kept.append(triples)
        return None


def shingles(words: Sequence[str]) -> frozenset[int]:
    """Return hashes of the word triples; a text of fewer than three words is one."""
    runs = [words[i : i + 3] for i in range(max(len(words) - 2, 1))]
    return frozenset(int.from_bytes(blake2b(" ".join(run).encode(), digest_size=8).digest(), "little") for run in runs)


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Return the share of triples that both have."""
    return len(one & other) / len(one | other)


def _bands(triples: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    hashes: NDArray[np.uint64] = np.fromiter(triples, dtype=np.uint64, count=len(triples))
    signature = (hashes[:, None] * _FACTORS + _OFFSETS).min(axis=0)
    for number, band in enumerate(signature.reshape(_BANDS, _PER_BAND)):
        yield number, band.tobytes()
