"""A challenger in the shadow of the champion: what both said, what happened, and what follows."""

from __future__ import annotations

from datetime import date
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from promoter.domain.evalues import DECIDES, Pairs, e_value, least_sessions, reversed_pairs

Verdict = Literal["promote", "keep", "extend"]

NO_CHANGE = "no_change"
"""Champion while there is none: tomorrow is today."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Row(_Frozen):
    """What champion and challenger said on one day about one horizon; log returns."""

    horizon: Horizon
    session: int
    price: float
    champion: float
    challenger: float


class ShadowBook(_Frozen):
    """A challenger, whom it is compared with, and every pair of forecasts since."""

    challenger: str
    """Run id of its package."""
    package: LakeRef
    champion: str
    """Version of the champion, or `NO_CHANGE`."""
    began: date
    horizons: tuple[Horizon, ...]
    rows: tuple[Row, ...] = ()

    def with_rows(self, rows: tuple[Row, ...]) -> ShadowBook:
        """Return the book with more rows; what was said of a day and horizon once stays."""
        known = {(row.session, row.horizon) for row in self.rows}
        new = [row for row in rows if (row.session, row.horizon) not in known]
        ordered = sorted([*self.rows, *new], key=lambda row: (row.session, row.horizon.sessions))
        return self.model_copy(update={"rows": tuple(ordered)})


class Standing(_Frozen):
    """Where the comparison of one horizon stands."""

    horizon: Horizon
    verdict: Verdict
    e_better: float
    """Evidence that the challenger is closer."""
    e_worse: float
    """Evidence that the champion is."""
    pairs: int
    matured: int
    detail: str


def standings(book: ShadowBook, prices: dict[int, float]) -> tuple[Standing, ...]:
    """Return where the comparison stands, horizon by horizon.

    Parameters
    ----------
    book : ShadowBook
    prices : session to the close that is known by now
    """
    return tuple(_standing(book, horizon, prices) for horizon in book.horizons)


def _standing(book: ShadowBook, horizon: Horizon, prices: dict[int, float]) -> Standing:
    rows = [row for row in book.rows if row.horizon == horizon]
    ends = np.array([prices.get(row.session + horizon.sessions, np.nan) for row in rows], dtype=np.float64)
    actual = np.log(ends / np.array([row.price for row in rows], dtype=np.float64))
    pairs = Pairs(
        np.array([row.session for row in rows], dtype=np.int64),
        np.array([row.champion for row in rows], dtype=np.float64),
        np.array([row.challenger for row in rows], dtype=np.float64),
        actual,
    )
    better, worse = e_value(pairs, horizon.sessions), e_value(reversed_pairs(pairs), horizon.sessions)
    matured = int(np.isfinite(actual).sum())
    verdict: Verdict = "promote" if better >= DECIDES else "keep" if worse >= DECIDES else "extend"
    return Standing(
        horizon=horizon,
        verdict=verdict,
        e_better=better,
        e_worse=worse,
        pairs=len(rows),
        matured=matured,
        detail=_words(horizon, verdict, better, worse, len(rows), matured),
    )


def _words(horizon: Horizon, verdict: Verdict, better: float, worse: float, pairs: int, matured: int) -> str:
    if verdict == "promote":
        return f"closer than the champion: e-value {better:.1f} after {matured} outcomes"
    if verdict == "keep":
        return f"the champion is closer: e-value {worse:.1f} against the challenger after {matured} outcomes"
    least = least_sessions(horizon.sessions)
    if pairs < least:
        years = (least - pairs) / Horizon.M12.sessions
        wait = f"{least - pairs} sessions" if years < 1 else "1 year" if years < 1.5 else f"{years:.0f} years"
        return f"cannot be decided yet: even a challenger that is always right needs {wait} more"
    return f"e-value {better:.2f} for and {worse:.2f} against after {matured} outcomes; {DECIDES:.0f} decides"
