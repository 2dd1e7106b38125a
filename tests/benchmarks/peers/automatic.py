"""AutoGluon-TimeSeries, preset medium_quality with a hard limit of time, on log prices by business days.

Two of the preset's models are pretrained and loaded from a hub at run time; they are left out by name: a benchmark must
not depend on what a hub holds today. A model that the limit cut off ends the run: that peer would not be what it says.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor
from problem import LEVEL, Problem

GROUPS = ((5, 21), (63, 126, 252))
"""Horizons that one predictor serves: what is best over a year ahead is not what is best over a month."""
REFIT_SESSIONS = 252
"""A fit serves a year; what it forecasts from is every cutoff's own."""
LIMIT_S = 1800
PRESET = "medium_quality"
PRETRAINED = ["Chronos2", "Toto2"]
TRAINED = {"SeasonalNaive", "ETS", "Theta", "RecursiveTabular", "DirectTabular"}
QUANTILES = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]


def main(folder: Path) -> None:
    """Forecast every cutoff with the median and the outer quantiles."""
    problem = Problem.read(folder)
    for group in GROUPS:
        _walk(problem, group)
    problem.write(folder, "autogluon.timeseries")


def _walk(problem: Problem, group: tuple[int, ...]) -> None:
    asked = [(c, {h: day for h, day in horizons.items() if h in group}) for c, horizons in problem.each()]
    frames = {cutoff: _frame(problem, cutoff) for cutoff, days in asked if days}
    ahead = {c: {h: _business_days(frames[c], day) for h, day in days.items()} for c, days in asked if days}
    longest = max(max(steps.values()) for steps in ahead.values())
    fitted, predictor = -REFIT_SESSIONS, None
    with tempfile.TemporaryDirectory() as place:
        for cutoff, steps in ahead.items():
            if predictor is None or cutoff - fitted >= REFIT_SESSIONS:
                predictor, fitted = _fit(frames[cutoff], longest, Path(place) / str(cutoff)), cutoff
                problem.fits += 1
            said = predictor.predict(frames[cutoff], random_seed=0)
            for horizon, step in steps.items():
                lower, point, upper = (float(said.iloc[step - 1][str(q)]) for q in QUANTILES)
                problem.say("AutoGluon", cutoff, horizon, point, (lower, upper))


def _frame(problem: Problem, cutoff: int) -> TimeSeriesDataFrame:
    known = problem.until(cutoff)
    # On a holiday the last close still stands.
    closes = pd.Series(problem.log_price[known], index=problem.dates[known]).asfreq("B").ffill()
    frame = pd.DataFrame({"item_id": "zl", "timestamp": closes.index, "target": closes.to_numpy()})
    return TimeSeriesDataFrame.from_data_frame(frame)


def _business_days(frame: TimeSeriesDataFrame, target: pd.Timestamp) -> int:
    last = frame.index.get_level_values("timestamp")[-1]
    return int(np.busday_count(last.date(), target.date()))


def _fit(frame: TimeSeriesDataFrame, longest: int, place: Path) -> TimeSeriesPredictor:
    predictor = TimeSeriesPredictor(
        prediction_length=longest, freq="B", eval_metric="WQL", quantile_levels=QUANTILES, path=str(place), verbosity=0
    )
    predictor.fit(frame, presets=PRESET, excluded_model_types=PRETRAINED, time_limit=LIMIT_S, random_seed=0)
    if missing := TRAINED - set(predictor.model_names()):
        raise RuntimeError(f"{LIMIT_S} s were too short for {', '.join(sorted(missing))}")
    return predictor


if __name__ == "__main__":
    main(Path(sys.argv[1]))
