"""A table's own targets, and columns that turn out to be targets, beside the canonical price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import TargetComparison

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEFINITION = "log(price[s + h] / price[s]): the canonical price h sessions later; unknown without a session s + h"

EQUAL = 1e-3
"""Deviation from the price, as a fraction, within which two prices are the same."""

LONGEST_LEAD = 300
"""Sessions ahead that a column is searched for."""

_LEADS = np.arange(1, LONGEST_LEAD + 1)
_GLANCE = 40
_FORETOLD_ROWS = 60
_FORETOLD_SHARE = 0.5
# Prices stand still now and then: on this many distinct values agreement is no accident.
_FORETOLD_VALUES = 20


class PriceAhead:
    """The canonical price, looked up by session.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price : (n,) float64
    """

    def __init__(self, sessions: Ints, price: Floats) -> None:
        self.first, self.last = int(sessions[0]), int(sessions[-1])
        self._by_session = np.full(self.last - self.first + 1, np.nan)
        self._by_session[sessions - self.first] = price

    def at(self, sessions: Ints) -> Floats:
        """Return the price of each session, NaN where there is none."""
        inside = (sessions >= self.first) & (sessions <= self.last)
        return np.where(inside, self._by_session[np.clip(sessions, self.first, self.last) - self.first], np.nan)


def compare_target(
    values: Floats, sessions: Ints, prices: PriceAhead, horizon: Horizon, unit: Literal["price", "return"]
) -> TargetComparison:
    """Compare a table's own target with the outcome.

    Parameters
    ----------
    values : (n,) float64
        The table's target of each session; a simple return when ``unit`` says so.
    sessions : (n,) int64
    prices : PriceAhead
        The canonical price up to as_of.
    """
    filled = ~np.isnan(values)
    told = values if unit == "price" else prices.at(sessions) * (1 + values)
    deviation = _deviation(told, prices.at(sessions + horizon.sessions))
    compared = deviation[~np.isnan(deviation)]
    lead, share = _nearest_lead(told, sessions, prices)
    return TargetComparison(
        column=f"target_{horizon}",
        horizon=horizon,
        unit=unit,
        filled=int(filled.sum()),
        compared=len(compared),
        share_equal=float(np.mean(compared <= EQUAL)) if len(compared) else None,
        max_deviation=float(compared.max()) if len(compared) else None,
        filled_before_outcome=int((filled & (sessions + horizon.sessions > prices.last)).sum()),
        frozen_tail=_tail(values[filled]),
        nearest_lead_sessions=lead,
        nearest_lead_share=share,
    )


def foretelling(values: Mapping[str, Floats], sessions: Ints, prices: PriceAhead) -> dict[str, str]:
    """Return the columns that are a later price, or the return to it, under another name.

    A column is one of them when it agrees with the price of one and the same number of sessions later in at least half
    of its rows. Today's and earlier prices are no such thing. Judged once on all rows up to as_of: taking a leak out of
    the early folds too is hindsight, and can only make their scores more honest.
    """
    names = [name for name, column in values.items() if _says_enough(column)]
    if not names:
        return {}
    now = prices.at(sessions)
    columns = np.column_stack([values[name] for name in names])
    found = {}
    for told in (columns, now[:, None] * (1 + columns), now[:, None] * np.exp(np.clip(columns, -50, 50))):
        for place in np.flatnonzero(_suspects(told, sessions, prices)):
            lead, share = _nearest_lead(told[:, place], sessions, prices)
            if lead is not None and share is not None and share >= _FORETOLD_SHARE:
                found[names[place]] = f"other_target: the price {lead} sessions later in {share:.0%} of the rows"
    return found


def _says_enough(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return len(known) >= _FORETOLD_ROWS and len(np.unique(known)) >= _FORETOLD_VALUES


def _suspects(told: Floats, sessions: Ints, prices: PriceAhead) -> NDArray[np.bool_]:
    """Columns that agree with one lead in a fifth of the few rows that are glanced at, and deserve a closer look."""
    few = np.unique(np.linspace(0, len(sessions) - 1, _GLANCE).astype(np.int64))
    glance = told[few]
    most = np.zeros(told.shape[1], dtype=np.int64)
    for lead in _LEADS:
        ahead = prices.at(sessions[few] + lead)[:, None]
        np.maximum(most, (np.abs(glance - ahead) <= EQUAL * ahead).sum(axis=0), out=most)
    suspected: NDArray[np.bool_] = most * 5 >= np.maximum((~np.isnan(glance)).sum(axis=0), 1)
    return suspected


def _nearest_lead(told: Floats, sessions: Ints, prices: PriceAhead) -> tuple[int | None, float | None]:
    deviation = _deviation(told[:, None], prices.at(sessions[:, None] + _LEADS))
    known = (~np.isnan(deviation)).sum(axis=0)
    equal = (deviation <= EQUAL).sum(axis=0)
    enough = known >= _FORETOLD_ROWS
    shares = np.where(enough, equal / np.maximum(known, 1), 0.0)
    best = int(np.argmax(shares))
    return (int(_LEADS[best]), float(shares[best])) if shares[best] > 0 else (None, None)


def _deviation(told: Floats, outcome: Floats) -> Floats:
    found: Floats = np.abs(told / outcome - 1)
    return found


def _tail(values: Floats) -> int:
    if not len(values):
        return 0
    differs = np.flatnonzero(values != values[-1])
    run = len(values) - (int(differs[-1]) + 1 if len(differs) else 0)
    return run if run > 1 else 0
