"""Scores of matured forecasts: all of them, and by regime, era, size of move and driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cbi_common.events.monitoring import Slice
from cbi_common.events.training import Metrics
from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.scoring import score
from monitor.domain.rows import Rows

Labels = Sequence[str | None]

MOVES = ("<2%", "2-5%", "5-10%", ">10%")
_MOVE_EDGES = np.array([0.02, 0.05, 0.10])


def move_sizes(y: Floats) -> list[str]:
    """Return the class of each actual move, a log return; an edge belongs to the larger class except 10 %.

    >>> move_sizes(np.log([1.01, 0.96, 1.09, 0.8]))
    ['<2%', '2-5%', '5-10%', '>10%']
    """
    return [MOVES[i] for i in np.searchsorted(_MOVE_EDGES, np.abs(np.expm1(y)), side="right")]


def overall(rows: Rows, *, horizon: int, step: int, naive_mae: float | None = None) -> Slice:
    """Return the score of all rows.

    Parameters
    ----------
    rows : Rows
    horizon, step : int
        Sessions from cutoff to target and between cutoffs.
    naive_mae : float, optional
        Scale of MASE.
    """
    return Slice(by="all", value="all", metrics=_metrics(rows, horizon, step, naive_mae), coverage_90=rows.coverage())


def by_label(
    rows: Rows,
    by: Literal["regime", "era", "move", "driver"],
    labels: Labels,
    order: Sequence[str],
    *,
    horizon: int,
    step: int,
    naive_mae: float | None = None,
) -> list[Slice]:
    """Return one score per label that occurs, in the given order; a row without a label is in none.

    A part has no Diebold-Mariano p-value: its rows are not evenly spaced, and moves are classed by the outcome.
    """
    of_row: NDArray[np.object_] = np.array(labels, dtype=object)
    found = []
    for value in order:
        part = rows.where(of_row == value)
        if len(part.y):
            metrics = _metrics(part, horizon, step, naive_mae).model_copy(update={"dm_p": None})
            found.append(Slice(by=by, value=value, metrics=metrics, coverage_90=part.coverage()))
    return found


def _metrics(rows: Rows, horizon: int, step: int, naive_mae: float | None) -> Metrics:
    scored = score(
        rows.sessions,
        rows.target_sessions,
        rows.price,
        rows.y_hat,
        rows.y,
        horizon_sessions=horizon,
        step=step,
        naive_mae=naive_mae,
    )
    return Metrics(**asdict(scored))
