"""What a peer is given, and what it gives back: plain files, so that it can live in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LEVEL = 0.9
"""Coverage that every band is asked for."""


@dataclass
class Problem:
    """A series of closes, the cutoffs to forecast from and the horizons, all counted in sessions."""

    sessions: np.ndarray
    dates: np.ndarray
    log_price: np.ndarray
    cutoffs: list[int]
    targets: dict[int, dict[int, pd.Timestamp]]
    """Cutoff to horizon to the day of the outcome."""
    threads: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    fits: int = 0

    @classmethod
    def read(cls, folder: Path) -> Problem:
        """Read ``series.csv`` (session, date, price), ``cutoffs.csv`` (session, horizon, target), ``settings.json``."""
        series = pd.read_csv(folder / "series.csv", parse_dates=["date"])
        asked = pd.read_csv(folder / "cutoffs.csv", parse_dates=["target"])
        targets: dict[int, dict[int, pd.Timestamp]] = {}
        for session, horizon, target in asked.itertuples(index=False):
            targets.setdefault(int(session), {})[int(horizon)] = target
        return cls(
            sessions=series["session"].to_numpy(),
            dates=series["date"].to_numpy(),
            log_price=np.log(series["price"].to_numpy()),
            cutoffs=sorted(targets),
            targets=targets,
            threads=json.loads((folder / "settings.json").read_text())["threads"],
        )

    def until(self, cutoff: int, window: int | None = None) -> slice:
        """Return the rows known at the close of a cutoff, the last ``window`` of them: all that a peer may see."""
        end = int(np.searchsorted(self.sessions, cutoff, side="right"))
        return slice(0 if window is None else max(0, end - window), end)

    def each(self) -> Iterator[tuple[int, dict[int, pd.Timestamp]]]:
        """Yield every cutoff with its horizons and the days of their outcomes."""
        for cutoff in self.cutoffs:
            yield cutoff, self.targets[cutoff]

    def say(self, contender: str, cutoff: int, horizon: int, log_forecast: float, band: tuple[float, float]) -> None:
        """Keep a forecast and its band, given as logarithms of the price; NaN in the band means that there is none."""
        forecast, lower, upper = (float(np.exp(value)) for value in (log_forecast, *band))
        self.rows.append(
            {"contender": contender, "session": cutoff, "horizon": horizon, "forecast": forecast}
            | {"lower": lower, "upper": upper}
        )

    def write(self, folder: Path, *distributions: str) -> None:
        """Write ``forecasts.csv`` and ``made.json``: fits, and the versions of what made them."""
        pd.DataFrame(self.rows).to_csv(folder / "forecasts.csv", index=False)
        made = {"fits": self.fits, "versions": {name: version(name) for name in distributions}}
        (folder / "made.json").write_text(json.dumps(made))
