"""AutoGluon-TimeSeries, preset medium_quality with a hard limit of time, on log prices.

Two of the preset's models are pretrained and loaded from a hub at run time; they are left out by name: a benchmark must
not depend on what a hub holds today.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd
from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor
from problem import LEVEL, Problem

REFIT_SESSIONS = 252
"""A fit serves a year; what it forecasts from is every cutoff's own."""
LIMIT_S = 300
PRESET = "medium_quality"
PRETRAINED = ["Chronos2", "Toto2"]
QUANTILES = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]


def main(folder: Path) -> None:
    """Fit one predictor a year for the longest horizon and forecast every cutoff: median and outer quantiles."""
    problem = Problem.read(folder)
    longest = max(max(horizons) for horizons in problem.targets.values())
    fitted, predictor = -REFIT_SESSIONS, None
    with tempfile.TemporaryDirectory() as place:
        for cutoff, horizons in problem.each():
            frame = _frame(problem, cutoff)
            if predictor is None or cutoff - fitted >= REFIT_SESSIONS:
                predictor, fitted = _fit(frame, longest, Path(place) / str(cutoff)), cutoff
                problem.fits += 1
            said = predictor.predict(frame, random_seed=0)
            for horizon in horizons:
                lower, point, upper = (float(said.iloc[horizon - 1][str(q)]) for q in QUANTILES)
                problem.say("AutoGluon", cutoff, horizon, point, (lower, upper))
    problem.write(folder, "autogluon.timeseries")


def _frame(problem: Problem, cutoff: int) -> TimeSeriesDataFrame:
    y = problem.log_price[problem.until(cutoff)]
    # Sessions are counted as days: what is a weekend or a holiday must not become a missing value.
    days = pd.date_range("1970-01-01", periods=len(y), freq="D")
    frame = pd.DataFrame({"item_id": "zl", "timestamp": days, "target": y})
    return TimeSeriesDataFrame.from_data_frame(frame)


def _fit(frame: TimeSeriesDataFrame, longest: int, place: Path) -> TimeSeriesPredictor:
    predictor = TimeSeriesPredictor(
        prediction_length=longest, freq="D", eval_metric="WQL", quantile_levels=QUANTILES, path=str(place), verbosity=0
    )
    return predictor.fit(frame, presets=PRESET, excluded_model_types=PRETRAINED, time_limit=LIMIT_S, random_seed=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
