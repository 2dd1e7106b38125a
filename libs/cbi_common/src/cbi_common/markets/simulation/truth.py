"""What is true of the simulated market: its regimes, and the best forecast that anyone could make.

The conditional expectation of the log return over h sessions is linear in the state and in the regime's
probabilities: with ``c_j = e_oil A^j``, transition matrix P and probabilities p of today's regime,

    E[oil[t+h] - oil[t]] = c_h x[t] - oil[t] + sum_k c_{h-k} (b + drift' (p P^k) + season * s(t+k))

Four forecasters are given. All know the process and today's soybean oil, palm, crude and news sentiment:

- ``oracle`` also knows today's regime, which nobody can see;
- ``prices`` infers it with the filter of Hamilton (1989, Econometrica 57:357-384) from the closes of soybean oil, palm
  and crude and the daily sentiment, up to and including today;
- ``vix`` infers it from these and the closes of the VIX;
- ``unread`` is ``vix``, but takes the news for what they are on average: whoever has no model that reads them.

None foresees a change of the process (``drift_at``); all know of it from its day on. They see the states unrounded; the
tables round prices to four decimals, which is five thousand times smaller than a day's move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.markets.simulation.history import Setting, draw
from cbi_common.markets.simulation.process import (
    FIRST_REGIME,
    STATE,
    Days,
    Floats,
    Ints,
    Process,
    start,
    transition,
)
from cbi_common.timeseries.calendar import session_date, session_number, session_numbers, sessions_between

SEEN = {"prices": STATE[:4], "vix": STATE}
"""Filter to the states it sees."""

_LONGEST = max(horizon.sessions for horizon in Horizon)


@dataclass(frozen=True)
class Truth:
    """The hidden part of a simulated market, n sessions.

    Attributes
    ----------
    days : (n,) datetime64[D]
    regimes : (n,) int64
        Position in ``Regime``.
    probabilities : name of a filter to (n, 4)
        Of each regime on the day, given what the filter has seen by its close.
    expected : name of a forecaster to horizon to (n,)
        Log return.
    """

    days: Days
    regimes: Ints
    probabilities: dict[str, Floats]
    expected: dict[str, dict[Horizon, Floats]]

    def table(self) -> pa.Table:
        """Return date, session, regime, ``<filter>_<regime>`` probabilities and ``<forecaster>_<horizon>`` returns."""
        sessions, _ = session_numbers(self.days)
        names = np.array([str(regime) for regime in Regime])
        columns = {"date": pa.array(self.days), "session": pa.array(sessions), "regime": pa.array(names[self.regimes])}
        for name, values in self.probabilities.items():
            columns |= {f"{name}_{regime}": pa.array(values[:, i]) for i, regime in enumerate(Regime)}
        for name, expected in self.expected.items():
            columns |= {f"{name}_{horizon}": pa.array(values) for horizon, values in expected.items()}
        return pa.table(columns)


def reveal(setting: Setting) -> Truth:
    """Return what is true of the simulated market of this setting.

    Raises
    ------
    UsageError
        For a setting out of its range.
    """
    history = draw(setting)
    parts = history.parts
    probabilities = {name: np.empty((len(history.days), 4)) for name in SEEN}
    certain = np.eye(4)[history.regimes]
    names = ("oracle", *SEEN, "unread")
    expected = {name: {h: np.empty(len(history.days)) for h in Horizon} for name in names}
    before, belief = start(), {name: np.eye(4)[FIRST_REGIME] for name in SEEN}
    for part, process in parts:
        states = history.states[part]
        moves = process.seasonal_moves(history.days[part])
        ahead = _moves_ahead(process, history.days[part])
        for name, seen in SEEN.items():
            surprise = states - np.vstack([before, states[:-1]]) @ process.matrix.T
            surprise -= process.constant + moves[:, None] * process.season
            probabilities[name][part] = infer(process, surprise, seen, belief[name])
            belief[name] = probabilities[name][part][-1]
        for name, weights in {"oracle": certain, **probabilities}.items():
            for horizon in Horizon:
                expected[name][horizon][part] = expect(process, states, weights[part], ahead, horizon.sessions)
        unread = states * (np.array(STATE) != "news")
        for horizon in Horizon:
            moved = expect(process, unread, probabilities["vix"][part], ahead, horizon.sessions)
            expected["unread"][horizon][part] = moved
        before = states[-1]
    return Truth(history.days, history.regimes, probabilities, expected)


def expect(process: Process, states: Floats, probabilities: Floats, ahead: Floats, sessions: int) -> Floats:
    """Return the expected log return over ``sessions`` sessions.

    Parameters
    ----------
    process : Process
    states : (n, k)
    probabilities : (n, 4)
        Of today's regime.
    ahead : (n, m) with m >= sessions
        Change of the seasonal level into each of the next sessions.
    sessions : int

    Returns
    -------
    (n,) float64
    """
    row = np.eye(len(STATE))[0]
    constant, seasonal = 0.0, np.empty(sessions)
    by_regime = [np.empty(0)] * sessions
    for back in range(sessions):
        constant += row @ process.constant
        seasonal[sessions - 1 - back] = row @ process.season
        by_regime[sessions - 1 - back] = process.drift @ row
        row = row @ process.matrix
    weight, step = np.zeros(4), transition()
    for pushes in reversed(by_regime):
        weight = step @ (pushes + weight)
    moved: Floats = states @ row - states[:, 0] + constant + ahead[:, :sessions] @ seasonal + probabilities @ weight
    return moved


def infer(process: Process, surprise: Floats, seen: tuple[str, ...], before: Floats) -> Floats:
    """Return the probability of each regime given all that has been seen up to and including the session.

    Parameters
    ----------
    process : Process
    surprise : (n, k)
        State less what it would have been without regime and shocks.
    seen : tuple of names in ``STATE``
    before : (4,)
        Probabilities on the day before the first.

    Returns
    -------
    (n, 4) float64
        Rows sum to 1.
    """
    place = [STATE.index(name) for name in seen]
    fit = np.stack([_log_density(process, surprise[:, place], place, regime) for regime in range(4)], axis=1)
    likelihood = np.exp(fit - fit.max(axis=1, keepdims=True))
    step = transition()
    found: Floats = np.empty_like(likelihood)
    for t, likely in enumerate(likelihood):
        joint = (before @ step) * likely
        before = joint / joint.sum()
        found[t] = before
    return found


def _log_density(process: Process, surprise: Floats, place: list[int], regime: int) -> Floats:
    loading = process.loading[regime][place]
    covariance = loading @ loading.T
    away = surprise - process.drift[regime][place]
    distance = np.einsum("ni,ni->n", away, np.linalg.solve(covariance, away.T).T)
    density: Floats = -0.5 * (distance + np.linalg.slogdet(covariance)[1])
    return density


def _moves_ahead(process: Process, days: Days) -> Floats:
    last = session_number(days[-1].item())
    known = sessions_between(days[0].item(), session_date(last + _LONGEST))
    moves = process.seasonal_moves(known)
    ahead: Floats = np.lib.stride_tricks.sliding_window_view(moves[1:], _LONGEST)
    return ahead
