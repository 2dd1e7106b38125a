"""Prophet as a model of trend and season."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import canonical_json
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.learner import validated
from trainer_cpu.domain.curve import Curve

LEAST_ROWS = 504


class Params(BaseModel):
    """Settings in the catalogue, by Prophet's own names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(ge=LEAST_ROWS)
    """Prices to fit on."""
    yearly_order: int = Field(ge=1, le=20)
    changepoint_prior_scale: float = Field(gt=0)
    seasonality_prior_scale: float = Field(gt=0)


@dataclass(frozen=True)
class ProphetCurve:
    """Learner of all horizons; its artifact is the part of Prophet's solution that lies ahead, as JSON.

    Forecasts are made from it without Prophet, whose import takes seconds.
    """

    name: str = "prophet"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the log prices of the last ``window`` sessions; Prophet knows no weights."""
        del weights
        settings = validated(Params, params, self.name)
        rows = train.last(settings.window)
        if len(rows.price) < LEAST_ROWS:
            raise DataError(f"only {len(rows.price)} prices", where=self.name, hint=f"{LEAST_ROWS} are needed")
        if not np.ptp(rows.price):
            raise DataError("the price never moved", where=self.name, hint="see `cbi quality`")
        curve = _solve(rows, settings, seed)
        if not all(map(math.isfinite, (curve.slope, *curve.season))):
            raise JobError("the fit did not converge", where=self.name, hint="give it a longer window")
        return canonical_json({"horizons": list(horizons), "slope": curve.slope, "season": list(curve.season)})

    def load(self, artifact: bytes) -> tuple[tuple[Horizon, ...], Curve]:
        """Return the horizons and the curve that ``fit`` serialised."""
        raw = json.loads(artifact)
        return tuple(Horizon(h) for h in raw["horizons"]), Curve(raw["slope"], tuple(raw["season"]))

    def forecast(self, model: tuple[tuple[Horizon, ...], Curve], view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,), from the day of the last row."""
        horizons, curve = model
        session = int(view.sessions[-1])
        ends = [np.datetime64(session_date(session + horizon.sessions)) for horizon in horizons]
        return np.array([curve.change(view.dates[-1], end) for end in ends])


def _solve(rows: Dataset, settings: Params, seed: int) -> Curve:
    _silence()
    import pandas as pd
    from prophet import Prophet

    model = Prophet(
        yearly_seasonality=settings.yearly_order,
        weekly_seasonality=False,
        daily_seasonality=False,
        changepoint_prior_scale=settings.changepoint_prior_scale,
        seasonality_prior_scale=settings.seasonality_prior_scale,
        uncertainty_samples=0,
    )
    model.fit(pd.DataFrame({"ds": rows.dates.astype("datetime64[ns]"), "y": np.log(rows.price)}), seed=seed)
    assert model.t_scale is not None  # it has been fitted
    assert model.y_scale is not None
    days = model.t_scale / pd.Timedelta(days=1)
    slope = float(model.params["k"][0][0] + model.params["delta"][0].sum())
    season = model.params["beta"][0] * model.y_scale
    return Curve(slope * model.y_scale / days, tuple(float(value) for value in season))


def _silence() -> None:
    """It asks for a plotting library that nothing here needs, and tells of every fit."""
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    stan = logging.getLogger("cmdstanpy")
    # One that has no handler is given one, and a level of its own, by cmdstanpy.
    stan.addHandler(logging.NullHandler())
    stan.setLevel(logging.ERROR)
