"""statsforecast alone: four automatic models on log prices, and their median (Petropoulos & Svetunkov, 2020)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from problem import LEVEL, Problem
from statsforecast import StatsForecast
from statsforecast.models import AutoARIMA, AutoCES, AutoETS, DynamicOptimizedTheta

WINDOW = 1260
"""Five years: orders and smoothing of an older market say little, and the search costs in proportion."""
MODELS = ("AutoARIMA", "AutoETS", "CES", "DynamicOptimizedTheta")


def main(folder: Path) -> None:
    """Fit every model anew at every cutoff."""
    problem = Problem.read(folder)
    models = [AutoARIMA(), AutoETS(), AutoCES(), DynamicOptimizedTheta()]
    level = int(100 * LEVEL)
    for cutoff, horizons in problem.each():
        y = problem.log_price[problem.until(cutoff, WINDOW)]
        frame = pd.DataFrame({"unique_id": "zl", "ds": np.arange(len(y)), "y": y})
        said = StatsForecast(models=models, freq=1).forecast(df=frame, h=max(horizons), level=[level])
        problem.fits += len(models)
        for horizon in horizons:
            row = said.iloc[horizon - 1]
            parts = np.array([[row[m], row[f"{m}-lo-{level}"], row[f"{m}-hi-{level}"]] for m in MODELS], dtype=float)
            for name, (point, lower, upper) in zip(MODELS, parts, strict=True):
                problem.say(f"statsforecast {name}", cutoff, horizon, point, (lower, upper))
            point, lower, upper = np.median(parts, axis=0)
            problem.say("statsforecast, median of four", cutoff, horizon, point, (lower, upper))
    problem.write(folder, "statsforecast")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
