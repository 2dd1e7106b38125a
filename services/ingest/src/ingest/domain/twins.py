"""Series that move as one: one of them is not the instrument that it is called."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cbi_common.markets.spec import Market
from ingest.domain.rows import Mask, Rows

Floats = NDArray[np.float64]

WINDOW = 40
"""Moves over which two series are compared; two in three of them must be known of both."""

ALIKE = 0.99
"""Correlation of log moves, either sign, above which two series are one; crude and heating oil have reached 0.98."""


STILL = 1e-8
"""Sum of squared moves below which a series stood still."""


def moving_alike(moves: Floats, limit: float = ALIKE) -> NDArray[np.bool_]:
    """Return (n, m, m): whether two columns moved as one over the `WINDOW` rows that end at each row.

    Parameters
    ----------
    moves : (n, m) float64
        Log moves, NaN where unknown. A row depends on rows at or before it alone.
    limit : float
        Correlation that counts as one.
    """
    first, second = np.triu_indices(moves.shape[1], 1)
    a, b = moves[:, first], moves[:, second]
    both = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    count, sum_a, sum_b = (_windowed(terms) for terms in (both.astype(np.float64), a, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        var_a = _windowed(a * a) - sum_a**2 / count
        var_b = _windowed(b * b) - sum_b**2 / count
        alike = np.abs(_windowed(a * b) - sum_a * sum_b / count) > limit * np.sqrt(var_a * var_b)
    alike &= (var_a > STILL) & (var_b > STILL) & (3 * count >= 2 * WINDOW)
    found = np.zeros((*moves.shape, moves.shape[1]), dtype=bool)
    found[:, first, second] = found[:, second, first] = alike
    return found


def mislabelled(market: Market, have: Mapping[str, Rows]) -> dict[str, tuple[tuple[str, ...], Mask]]:
    """Return the series that move as an earlier one of the market file does: the names of those, and the rows.

    Bars of one instrument move together and are left out, and so are series that are not observed every session.
    A row is masked when any earlier series moves alike there: choosing one partner by the whole history would let
    later rows decide about earlier ones.

    Parameters
    ----------
    market : Market
    have : name to rows, one per session in ascending order
    """
    related = [{bar.open, bar.high, bar.low, bar.close} for bar in market.bars]
    names = [s.name for s in market.series if s.frequency == "session" and len(have.get(s.name, ()))]
    if len(names) < 2:
        return {}
    sessions = np.unique(np.concatenate([have[name].sessions for name in names]))
    alike = moving_alike(np.column_stack([_moves(sessions, have[name]) for name in names]))
    found: dict[str, tuple[tuple[str, ...], Mask]] = {}
    for j, second in enumerate(names):
        partners = [
            i
            for i, first in enumerate(names[:j])
            if alike[:, i, j].any() and not any({first, second} <= group for group in related)
        ]
        if partners:
            rows = sessions[alike[:, partners, j].any(axis=1)]
            found[second] = (tuple(names[i] for i in partners), np.isin(have[second].sessions, rows))
    return found


def _moves(sessions: NDArray[np.int64], rows: Rows) -> Floats:
    values = np.full(len(sessions), np.nan)
    values[np.searchsorted(sessions, rows.sessions)] = np.where(rows.values > 0, rows.values, np.nan)
    return np.diff(np.log(values), prepend=np.nan)


def _windowed(terms: Floats) -> Floats:
    """Sum over the last `WINDOW` rows, from sums that are added up from the first row on: a later row changes none."""
    sums = np.concatenate([np.zeros((1, *terms.shape[1:])), np.cumsum(terms, axis=0)])
    ends = np.arange(1, len(sums))
    found: Floats = sums[ends] - sums[np.maximum(ends - WINDOW, 0)]
    return found
