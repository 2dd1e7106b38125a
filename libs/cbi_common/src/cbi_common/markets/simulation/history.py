"""One drawn history of the process: the hidden path behind everything that the simulated market shows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from cbi_common.core.errors import UsageError
from cbi_common.markets.simulation.faults import AWAY, TURMOIL, Faults, day_of
from cbi_common.markets.simulation.process import (
    LEAVING,
    SHOCKS,
    Days,
    Floats,
    Ints,
    Process,
    evolve,
    make_process,
    regime_path,
    start,
)
from cbi_common.timeseries.calendar import session_date, session_number, sessions_between

LAST_DAY = date(2025, 5, 16)
SHORTEST, LONGEST = 300, 31_500
"""Sessions; the longest is 125 years."""


@dataclass(frozen=True)
class Setting:
    """Which market to simulate: the ``sessions`` trading days that end on ``last_day``.

    Attributes
    ----------
    sessions : int
        300 to 31,500 (125 years).
    seed : int
    predictability : float in [0, 0.2]
        Share of the gap between palm and soybean oil that soybean oil closes per session; season and effect of the
        news grow with it. At 0 only the regimes and a slow reversion tell anything of the next price.
    drift_at : date or None
        From this day on soybean oil and palm no longer heed each other.
    last_day : date
    faults : pairs of a name in `FAULTS` and the first day it touches
    """

    sessions: int
    seed: int
    predictability: float = 0.02
    drift_at: date | None = None
    last_day: date = LAST_DAY
    faults: Faults = ()

    def days(self) -> Days:
        """Return the sessions.

        Raises
        ------
        UsageError
            For a field out of its range.
        """
        self._check(SHORTEST <= self.sessions <= LONGEST, f"{self.sessions} sessions", f"{SHORTEST} to {LONGEST}")
        self._check(0 <= self.predictability <= 0.2, f"predictability {self.predictability}", "0 to 0.2")
        self._check(0 <= self.seed < 2**63, f"seed {self.seed}", "a number from 0 on")
        last = session_number(self.last_day)
        days = sessions_between(session_date(last - self.sessions + 1), self.last_day)
        first, end = days[1].item(), days[-1].item()
        dated = dict(self.faults) if self.drift_at is None else {**dict(self.faults), "drift_at": self.drift_at}
        for name, day in dated.items():
            self._check(first <= day <= end, f"{name} {day}", f"a day from {first} to {end}")
        return days

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator of one series: it depends on seed and name alone, so that no series disturbs another."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    @staticmethod
    def _check(holds: bool, what: str, ask_for: str) -> None:
        if not holds:
            raise UsageError(what, where="simulated market", hint=f"ask for {ask_for}")


@dataclass(frozen=True)
class History:
    """A drawn path, n sessions.

    Attributes
    ----------
    days : (n,) datetime64[D]
    regimes : (n,) int64
        Position in ``Regime``.
    states : (n, k)
        In the order of ``STATE``.
    shocks : (n, 5)
        In the order of ``SHOCKS``.
    parts : the rows that each process made, in the order of time
    """

    days: Days
    regimes: Ints
    states: Floats
    shocks: Floats
    parts: tuple[tuple[slice, Process], ...]


def draw(setting: Setting) -> History:
    """Draw the history of a setting.

    Raises
    ------
    UsageError
        For a setting out of its range.
    """
    days = setting.days()
    regimes = regime_path(setting.rng("regime").random(len(days)))
    shocks = np.column_stack([setting.rng(f"shock of {name}").standard_normal(len(days)) for name in SHOCKS])
    parts, states, before = _parts(setting, days), [], start()
    for part, process in parts:
        states.append(evolve(process, before, regimes[part], process.seasonal_moves(days[part]), shocks[part]))
        before = states[-1][-1]
    return History(days, regimes, np.concatenate(states), shocks, parts)


def _parts(setting: Setting, days: Days) -> tuple[tuple[slice, Process], ...]:
    drifts, leaves, turmoil = (
        len(days) if day is None else _row(days, day)
        for day in (setting.drift_at, day_of(setting.faults, AWAY), day_of(setting.faults, TURMOIL))
    )
    left = min(leaves + LEAVING, len(days))
    return tuple(
        (
            slice(begin, end),
            make_process(
                setting.predictability,
                linked=begin < min(drifts, leaves),
                turmoil=begin >= turmoil,
                leaving=leaves <= begin < left,
            ),
        )
        for begin, end in pairwise(sorted({0, drifts, leaves, left, turmoil, len(days)}))
    )


def _row(days: Days, day: date) -> int:
    return int(np.searchsorted(days, np.datetime64(day)))
