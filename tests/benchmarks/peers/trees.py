"""mlforecast: LightGBM on lags and rolling statistics of daily log returns, carried on step by step."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean, RollingStd
from mlforecast.target_transforms import Differences
from mlforecast.utils import PredictionIntervals
from problem import LEVEL, Problem

CALIBRATION_WINDOWS = 5


def main(folder: Path) -> None:
    """Fit anew at every cutoff, on all that is known, with conformal bands (only for rows that it was fitted on)."""
    problem = Problem.read(folder)
    level = int(100 * LEVEL)
    for cutoff, horizons in problem.each():
        longest, model = max(horizons), _model(problem.threads)
        intervals = PredictionIntervals(n_windows=CALIBRATION_WINDOWS, h=longest)
        model.fit(_frame(problem.log_price[problem.until(cutoff)]), prediction_intervals=intervals)
        problem.fits += 1 + CALIBRATION_WINDOWS
        said = model.predict(h=longest, level=[level])
        for horizon in horizons:
            row = said.iloc[horizon - 1]
            band = (row[f"LGBMRegressor-lo-{level}"], row[f"LGBMRegressor-hi-{level}"])
            problem.say("mlforecast LightGBM", cutoff, horizon, row["LGBMRegressor"], band)
    problem.write(folder, "mlforecast", "lightgbm")


def _frame(y: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": "zl", "ds": np.arange(len(y)), "y": y})


def _model(threads: int) -> MLForecast:
    return MLForecast(
        models=[LGBMRegressor(random_state=0, n_jobs=threads, verbosity=-1)],
        freq=1,
        lags=[1, 2, 3, 5, 10, 21, 63],
        lag_transforms={1: [RollingMean(5), RollingMean(21), RollingMean(63), RollingStd(21), RollingStd(63)]},
        target_transforms=[Differences([1])],
        num_threads=threads,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
