"""The score of the bands around the forecasts as served, beside no-change with a GARCH volatility on the same rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.band_scores import (
    LEAST_CUTOFFS,
    NORMAL_90,
    coverage_error,
    inside,
    overlap_of,
    winkler_losses,
    worst_year,
    worst_year_by_chance,
)
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.regimes import CLASSES
from cbi_common.timeseries.significance import diebold_mariano, n_effective
from ensemble.domain.serve import HorizonServed

SCORED_FROM = date(2010, 1, 1)
"""First cutoff whose band is scored; where members do not reach back to, no-change was served."""

GARCH = "garch"
"""The volatility model whose normal band around no-change is the yardstick."""


def band_report(served: HorizonServed, horizon: Horizon, step: int, recent_from: int) -> dict[str, Any]:
    """Return the fields of `HorizonForecast` that say how good the bands have been; None where nothing can be said.

    Parameters
    ----------
    served : HorizonServed
    horizon : Horizon
    step : int
        Sessions between cutoffs.
    recent_from : int
        Session after which cutoffs are recent: the last sixty refit periods.
    """
    known, band = served.history, served.band
    actual = known.price * np.exp(known.y)
    lower, upper = (known.price * np.exp(end) for end in (band.lower, band.upper))
    on_grid = known.sessions % step == 0
    rows = on_grid & (known.dates >= np.datetime64(SCORED_FROM)) & np.isfinite(lower) & np.isfinite(actual)
    if not rows.any():
        return dict.fromkeys(("coverage_90", "winkler_90", "worst_year_coverage", "coverage_90_last60"))
    hits, losses = inside(lower, upper, actual), winkler_losses(lower, upper, actual)
    years = np.array([session_date(int(s)).year for s in known.target_sessions])
    recent = rows & (known.sessions > recent_from)
    return {
        "n_bands": int(rows.sum()),
        "coverage_90": float(hits[rows].mean()),
        "coverage_error": coverage_error(hits[rows], overlap_of(horizon.sessions, step)),
        "coverage_by_regime": _by_regime(served, hits, rows),
        "winkler_90": float(losses[rows].mean()),
        "worst_year_coverage": worst_year(hits[rows], years[rows]),
        "worst_year_by_chance": worst_year_by_chance(known.sessions[rows], years[rows], horizon.sessions),
        "coverage_90_last60": float(hits[recent].mean()) if recent.any() else None,
        **_yardstick(served, rows, losses, horizon, step),
    }


def _by_regime(served: HorizonServed, hits: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, float]:
    groups = {str(name): rows & (served.history.regime == place) for place, name in enumerate(CLASSES)}
    return {name: float(hits[group].mean()) for name, group in groups.items() if group.sum() >= LEAST_CUTOFFS}


def _yardstick(
    served: HorizonServed, rows: NDArray[np.bool_], losses: NDArray[np.float64], horizon: Horizon, step: int
) -> dict[str, float | None]:
    """Score of no-change plus and minus 1.645 GARCH deviations, and whether its Winkler score is smaller than ours."""
    known = served.history
    if GARCH not in served.volatility:
        return {}
    sd = served.volatilities[:, served.volatility.index(GARCH)]
    if not np.isfinite(sd[rows]).all():
        return {}
    actual = known.price * np.exp(known.y)
    lower, upper = known.price * np.exp(-NORMAL_90 * sd), known.price * np.exp(NORMAL_90 * sd)
    other = winkler_losses(lower, upper, actual)
    return {
        "garch_coverage_90": float(inside(lower, upper, actual)[rows].mean()),
        "garch_winkler_90": float(other[rows].mean()),
        "garch_better_p": diebold_mariano(
            other[rows],
            losses[rows],
            horizon_sessions=horizon.sessions,
            step=step,
            effective=n_effective(known.sessions[rows], known.target_sessions[rows], horizon.sessions),
        ),
    }
