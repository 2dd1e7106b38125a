"""Errors that have grown: against the walk-forward, and by a detector of change.

Both look at the error beside no-change's on the same rows: a market that moves more makes every forecast err more, and
no retrain mends that. Neither looks at fewer than ten independent outcomes (DOMAIN section 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Floats
from monitor.domain.finding import Finding
from monitor.domain.rows import Rows
from monitor.domain.rules import PerformanceRules

Detect = Callable[[Sequence[float], PerformanceRules], list[int]]
"""From excess errors in the order of time to the positions at which a change was noticed."""


@dataclass(frozen=True)
class Check:
    """Mean errors of the last window and of all before it, each with no-change's on the same rows."""

    mape: float
    no_change: float
    mape_before: float
    no_change_before: float

    def bad(self, rules: PerformanceRules) -> bool:
        """Whether the error exceeds the floor, and its ratio to no-change's the usual one by the factor."""
        return self.score(rules) > 1.0

    def score(self, rules: PerformanceRules) -> float:
        """Return the error over the larger of the two limits."""
        usual = self.mape_before / self.no_change_before
        return self.mape / max(rules.floor, rules.factor * usual * self.no_change)


def check_at(rows: Rows, row: int, horizon: int, rules: PerformanceRules) -> Check | None:
    """Return the check as of the outcome of ``row``, None while there are too few outcomes in the window or before it.

    Parameters
    ----------
    rows : Rows
        Matured, ascending.
    row : int
    horizon : int
        Sessions.
    rules : PerformanceRules
    """
    length = max(rules.window_sessions, rules.independent_outcomes * horizon)
    end = rows.target_sessions[row]
    recent = (rows.target_sessions > end - length) & (rows.target_sessions <= end)
    before = rows.target_sessions <= end - length
    enough = rules.independent_outcomes * horizon
    if not recent.any() or not before.any() or end - rows.target_sessions[0] < length + enough:
        return None
    own, unchanged = rows.errors(), rows.unchanged_errors()
    numbers = [float(values[part].mean()) for part in (recent, before) for values in (own, unchanged)]
    return Check(*numbers) if min(numbers) > 0 else None


def performance_score(rows: Rows, horizon: Horizon, rules: PerformanceRules) -> float | None:
    """Return the score of the last matured forecast's check, None while there are too few."""
    last = check_at(rows, len(rows.sessions) - 1, horizon.sessions, rules) if len(rows.sessions) else None
    return None if last is None else last.score(rules)


def excess(rows: Rows) -> Floats:
    """Return by how much each error exceeded no-change's, in mean errors of no-change so far, (n,) float64."""
    unchanged = rows.unchanged_errors()
    scale = np.cumsum(unchanged) / np.arange(1, len(unchanged) + 1)
    return np.where(scale > 0, (rows.errors() - unchanged) / np.maximum(scale, 1e-12), 0.0)


def find_degraded(rows: Rows, horizon: Horizon, rules: PerformanceRules, detect: Detect) -> list[Finding]:
    """Return a finding when the errors of a horizon have grown, as of its last matured forecast.

    Parameters
    ----------
    rows : Rows
        Matured forecasts as served, ascending.
    horizon : Horizon
    rules : PerformanceRules
    detect : Detect
    """
    found = [*_grown(rows, horizon, rules), *_changed(rows, horizon, rules, detect)]
    if not found:
        return []
    since, said, evidence = (list(part) for part in zip(*found, strict=True))
    return [
        Finding(
            condition=f"performance/{horizon}",
            kind="performance",
            where=f"horizon {horizon}",
            what=f"{horizon}: {'; '.join(said)}",
            hint="a retrain has been asked for; until it has proved itself, halve what the signal says to buy",
            since=min(session_date(int(session)) for session in since),
            evidence={name: value for part in evidence for name, value in part.items()},
            action="retrain",
            horizon=horizon,
        )
    ]


_Part = tuple[int, str, dict[str, float]]


def _grown(rows: Rows, horizon: Horizon, rules: PerformanceRules) -> list[_Part]:
    last = len(rows.sessions) - 1
    if last + 1 < rules.checks:
        return []
    checks = [check_at(rows, row, horizon.sessions, rules) for row in range(last - rules.checks + 1, last + 1)]
    now = checks[-1]
    if now is None or any(check is None or not check.bad(rules) for check in checks):
        return []
    said = (
        f"MAPE {now.mape:.1%} of late, no-change {now.no_change:.1%}; in the walk-forward {now.mape_before:.1%} and "
        f"{now.no_change_before:.1%}"
    )
    evidence = {
        "mape": now.mape,
        "no_change_mape": now.no_change,
        "walk_forward_mape": now.mape_before,
        "walk_forward_no_change_mape": now.no_change_before,
    }
    return [(int(rows.target_sessions[last - rules.checks + 1]), said, evidence)]


def _changed(rows: Rows, horizon: Horizon, rules: PerformanceRules, detect: Detect) -> list[_Part]:
    alone = rows.independent(horizon.sessions)
    if not len(alone.sessions):
        return []
    values = excess(alone)
    horizon_memory = max(rules.remembered_sessions, horizon.sessions)
    first = alone.target_sessions[-1] - horizon_memory
    fresh = [at for at in detect(values.tolist(), rules) if alone.target_sessions[at] > first]
    if not fresh:
        return []
    recent = max(ceil(horizon_memory / horizon.sessions), 1)
    late = float(values[-recent:].mean())
    said = f"the Page-Hinkley test met a change: {late:+.0%} beyond no-change's error over the last {recent} outcomes"
    return [(int(alone.target_sessions[fresh[0]]), said, {"excess_error": late})]
