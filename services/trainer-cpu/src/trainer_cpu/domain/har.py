"""Volatility from its own past over several spans, the index of fear and the season."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import canonical_json
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.volatility import realised_variance
from cbi_common.training.learner import validated

SPANS = (5, 21, 63)
LEAST_ROWS = 252
_YEAR_DAYS = 365.25
_FLOOR = 1e-8


class Params(BaseModel):
    """Settings in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fear: str | None = None
    """Column with an index of fear (its level); None, or a column that is not there: the price speaks alone."""
    penalty: float = Field(gt=0)
    """Of a ridge on all coefficients but the constant, in variances of each input."""


@dataclass(frozen=True)
class Line:
    """Coefficients of one horizon: of the inputs, the constant first, and the factor that undoes the logarithm."""

    horizon: Horizon
    coefficients: Floats
    factor: float


@dataclass(frozen=True)
class Fitted:
    """Lines that read the price and a column ``fear``, and lines for days on which that column is not known.

    Without such a column both are the same.
    """

    lines: tuple[Line, ...]
    blind: tuple[Line, ...]
    fear: str | None


@dataclass(frozen=True)
class HarLog:
    """Heterogeneous autoregression of the log realised variance (Corsi, 2009), from daily squared returns.

    The inputs are the log variances of the last week, month and quarter, the log of the index of fear, and one wave a
    year: harvests are calmer than the growing season.
    """

    name: str = "har"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit a line per horizon on the rows whose outcome is known; its forecasts are standard deviations."""
        del seed
        settings = validated(Params, params, self.name)
        fear = settings.fear if settings.fear in train.names else None
        lines = [_line(train, h, fear, weights, settings.penalty) for h in horizons]
        blind = lines if fear is None else [_line(train, h, None, weights, settings.penalty) for h in horizons]
        return canonical_json({"fear": fear, "lines": lines, "blind": blind})

    def load(self, artifact: bytes) -> Fitted:
        """Return the lines that ``fit`` serialised."""
        raw = json.loads(artifact)
        lines, blind = (
            tuple(Line(Horizon(x["horizon"]), np.array(x["coefficients"]), x["factor"]) for x in raw[part])
            for part in ("lines", "blind")
        )
        return Fitted(lines, blind, raw["fear"])

    def forecast(self, model: Fitted, view: Dataset) -> Floats:
        """Return the standard deviation of the log return over each horizon, (n_horizons,)."""
        recent = view.last(SPANS[-1] + 1)
        row, lines = _inputs(recent, model.fear)[-1], model.lines
        if not np.isfinite(row).all():
            row, lines = _inputs(recent, None)[-1], model.blind
        return np.array([np.sqrt(line.factor * np.exp(row @ line.coefficients)) for line in lines])


def _line(train: Dataset, horizon: Horizon, fear: str | None, weights: Floats, penalty: float) -> dict[str, Any]:
    inputs = _inputs(train, fear)
    variance = realised_variance(train.sessions, train.price, horizon.sessions)
    outcome = np.log(np.maximum(variance, _FLOOR))
    rows = np.isfinite(outcome) & np.isfinite(inputs).all(axis=1)
    if rows.sum() < LEAST_ROWS:
        raise DataError(f"only {rows.sum()} rows have a volatility", where="har", hint="give a longer history")
    if not variance[rows].any():
        raise DataError("the price never moved", where="har", hint="see `cbi quality`")
    x, y, w = inputs[rows], outcome[rows], weights[rows] / weights[rows].sum()
    coefficients = _solve(x, y, w, penalty)
    # The mean of exp(error) makes the variance right on average, whatever the errors' distribution (Duan, 1983).
    factor = float(w @ np.exp(y - x @ coefficients))
    return {"horizon": horizon, "coefficients": coefficients.tolist(), "factor": factor}


def _inputs(rows: Dataset, fear: str | None) -> Floats:
    squares = np.concatenate([[np.nan], np.diff(np.log(rows.price)) ** 2])
    spans = [np.log(np.maximum(_trailing_mean(squares, n), _FLOOR)) for n in SPANS]
    days = rows.dates.astype("datetime64[D]").astype(np.float64)
    season = [wave(2 * np.pi * days / _YEAR_DAYS) for wave in (np.sin, np.cos)]
    told = [] if fear is None else [np.log(np.maximum(rows.features[:, rows.names.index(fear)], 1.0) / 20.0)]
    return np.column_stack([np.ones(len(days)), *spans, *told, *season])


def _trailing_mean(values: Floats, n: int) -> Floats:
    result = np.full(len(values), np.nan)
    if len(values) > n:
        result[n:] = np.lib.stride_tricks.sliding_window_view(values[1:], n).mean(axis=1)
    return result


def _solve(x: Floats, y: Floats, w: Floats, penalty: float) -> Floats:
    spread = np.sqrt(w @ (x - w @ x) ** 2)
    ridge = np.diag(penalty * spread**2)
    ridge[0, 0] = 0.0
    return np.asarray(np.linalg.solve(x.T @ (w[:, None] * x) + ridge, x.T @ (w * y)), dtype=np.float64)
