"""Prophet with its defaults on log prices of ten years."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from problem import LEVEL, Problem
from prophet import Prophet

WINDOW = 2520


def main(folder: Path) -> None:
    """Fit anew at every cutoff; bands are Prophet's own."""
    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    problem = Problem.read(folder)
    for cutoff, horizons in problem.each():
        known = problem.until(cutoff, WINDOW)
        model = Prophet(interval_width=LEVEL)
        np.random.seed(cutoff)  # noqa: NPY002  # Prophet draws its bands from the global generator
        model.fit(pd.DataFrame({"ds": problem.dates[known], "y": problem.log_price[known]}), seed=cutoff)
        problem.fits += 1
        said = model.predict(pd.DataFrame({"ds": list(horizons.values())}))
        for horizon, row in zip(horizons, said.itertuples(index=False), strict=True):
            problem.say("Prophet", cutoff, horizon, row.yhat, (row.yhat_lower, row.yhat_upper))
    problem.write(folder, "prophet")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
