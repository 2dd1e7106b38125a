"""A contest: what others forecast beside what a run served, on the same cutoffs, scored by the same code.

Contenders live in environments of their own, so what goes to and fro are plain files (tests/benchmarks/peers).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.losses import coverage, winkler
from cbi_common.timeseries.scoring import score
from cbi_common.timeseries.significance import diebold_mariano, n_effective
from cbi_common.training.datasets import load_dataset

NO_BAND = float("nan")


@dataclass(frozen=True)
class Forecasts:
    """What somebody said of one horizon: arrays (n,) by ascending cutoff, prices; NaN bounds where there is no band."""

    sessions: Ints
    forecast: Floats
    lower: Floats
    upper: Floats

    def at(self, sessions: Ints) -> Forecasts:
        """Return the forecasts of these cutoffs, all of which must be there."""
        place = np.searchsorted(self.sessions, sessions)
        found = self.sessions[np.minimum(place, len(self.sessions) - 1)] == sessions
        if not found.all():
            raise KeyError(f"no forecast at session {sessions[~found][0]}")
        return Forecasts(self.sessions[place], self.forecast[place], self.lower[place], self.upper[place])

    @property
    def has_band(self) -> bool:
        """Whether every forecast has a band."""
        return bool(np.isfinite(self.lower).all() and np.isfinite(self.upper).all())


@dataclass(frozen=True)
class Course:
    """What everybody is asked, and what happened.

    Attributes
    ----------
    panel : Dataset
        The canonical closes up to as_of.
    served : horizon to the forecasts that the run served at its scored, matured cutoffs
    step : int
        Sessions between two of them.
    """

    panel: Dataset
    served: Mapping[Horizon, Forecasts]
    step: int

    @classmethod
    def of_run(cls, lake: Lake, run_id: str) -> Course:
        """Read what a run served from its lake.

        Raises
        ------
        FileNotFoundError
            When the lake has no forecast of that run.
        """
        manifest_ref = lake.find(f"manifest/{run_id}")
        if manifest_ref is None:
            raise FileNotFoundError(f"{lake.url} has no run {run_id}")
        manifest = RunManifest.model_validate(lake.get_json(manifest_ref))
        panel = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
        ready = _forecast_of(lake, run_id)
        reference = lake.find(f"{ready}.served")
        assert reference is not None
        table = get_table(lake, reference)
        horizons = np.array(table["horizon"].to_pylist())
        sessions, y_hat, y, price, lower, upper = (
            table[name].to_numpy() for name in ("session", "y_hat", "y", "price", "lower", "upper")
        )
        served: dict[Horizon, Forecasts] = {}
        for horizon, scored in manifest.windows.items():
            rows = (horizons == str(horizon)) & np.isfinite(y) & (scored.start <= sessions) & (sessions <= scored.end)
            forecast = price[rows] * np.exp(y_hat[rows])
            served[horizon] = Forecasts(sessions[rows], forecast, lower[rows], upper[rows])
        return cls(panel, served, manifest.cutoff_every)

    def cutoffs(self, horizon: Horizon, every: int) -> Ints:
        """Return the cutoffs on a grid of ``every`` sessions, a multiple of `step`."""
        sessions = self.served[horizon].sessions
        return np.asarray(sessions[sessions % every == 0])

    def write(self, folder: Path, every: int, threads: int) -> int:
        """Write the problem for a contender and return how many cutoffs it has, all horizons together."""
        folder.mkdir(parents=True, exist_ok=True)
        days = self.panel.dates.astype(str)
        series = zip(self.panel.sessions.tolist(), days.tolist(), map(repr, self.panel.price.tolist()), strict=True)
        _csv(folder / "series.csv", ("session", "date", "price"), series)
        asked = sorted((int(s), h.sessions) for h in self.served for s in self.cutoffs(h, every))
        _csv(folder / "cutoffs.csv", ("session", "horizon", "target"), ((s, h, session_date(s + h)) for s, h in asked))
        (folder / "settings.json").write_text(json.dumps({"threads": threads}))
        return len({session for session, _ in asked})

    def stand(self, contender: str, horizon: Horizon, said: Forecasts, every: int) -> Standing:
        """Score a contender beside what was served and no-change, on the same cutoffs.

        Raises
        ------
        KeyError
            When the contender is silent at a cutoff: nobody is scored on the cutoffs that suit him.
        """
        rows = self.cutoffs(horizon, every)
        theirs, ours = said.at(rows), self.served[horizon].at(rows)
        places = np.searchsorted(self.panel.sessions, rows)
        price, y = self.panel.price[places], self.panel.targets(horizon)[places]
        actual, target_sessions = price * np.exp(y), rows + horizon.sessions
        length = horizon.sessions
        mine, own = (
            score(rows, target_sessions, price, np.log(f.forecast / price), y, horizon_sessions=length, step=every)
            for f in (theirs, ours)
        )
        ours_better = diebold_mariano(
            np.abs(ours.forecast - actual),
            np.abs(theirs.forecast - actual),
            horizon_sessions=length,
            step=every,
            effective=n_effective(rows, target_sessions, length),
        )
        return Standing(
            contender=contender,
            horizon=horizon,
            n=mine.n,
            independent=int(mine.n_effective),
            no_change_mape=_said(mine.no_change_mape),
            mape=_said(mine.mape),
            skill=_said(mine.skill),
            dm_p=mine.dm_p,
            served_mape=_said(own.mape),
            served_skill=_said(own.skill),
            served_better_p=ours_better,
            coverage=coverage(theirs.lower, theirs.upper, actual) if theirs.has_band else None,
            winkler=winkler(theirs.lower, theirs.upper, actual) if theirs.has_band else None,
            served_coverage=coverage(ours.lower, ours.upper, actual),
            served_winkler=winkler(ours.lower, ours.upper, actual),
        )


@dataclass(frozen=True)
class Standing:
    """A contender at one horizon, beside what was served and no-change on the same cutoffs.

    Attributes
    ----------
    n, independent : int
        Cutoffs, and independent windows among them.
    skill, served_skill : float
        1 - MAE / MAE of no-change.
    dm_p, served_better_p : float or None
        One-sided Diebold-Mariano p-values: the contender beats no-change; what was served beats the contender.
    coverage, winkler : float or None
        Of its 90 % band (¢/lb for the score, smaller is better), None without one.
    """

    contender: str
    horizon: Horizon
    n: int
    independent: int
    no_change_mape: float
    mape: float
    skill: float
    dm_p: float | None
    served_mape: float
    served_skill: float
    served_better_p: float | None
    coverage: float | None
    winkler: float | None
    served_coverage: float
    served_winkler: float


def read_forecasts(file: Path) -> dict[str, dict[Horizon, Forecasts]]:
    """Read a contender's answer, ``contender,session,horizon,forecast,lower,upper``; one file may hold several."""
    rows: dict[str, dict[Horizon, list[tuple[int, float, float, float]]]] = {}
    by_length = {horizon.sessions: horizon for horizon in Horizon}
    with file.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            found = rows.setdefault(line["contender"], {}).setdefault(by_length[int(line["horizon"])], [])
            bounds = (float(line["lower"] or NO_BAND), float(line["upper"] or NO_BAND))
            found.append((int(line["session"]), float(line["forecast"]), *bounds))
    return {name: {h: _forecasts(said) for h, said in horizons.items()} for name, horizons in rows.items()}


def _said(value: float | None) -> float:
    if value is None:
        raise ValueError("fewer than two cutoffs: nothing can be scored")
    return value


def _forecasts(said: list[tuple[int, float, float, float]]) -> Forecasts:
    sessions, forecast, lower, upper = zip(*sorted(said), strict=True)
    return Forecasts(np.array(sessions), np.array(forecast), np.array(lower), np.array(upper))


def _forecast_of(lake: Lake, run_id: str) -> str:
    """Key of the final forecast of a run."""
    for reference in sorted((Path(lake.url) / "refs" / "ensemble").glob("*.json")):
        key = f"ensemble/{reference.name.removesuffix('.json')}"
        if "." in reference.stem:  # a part of one
            continue
        found = lake.find(key)
        assert found is not None
        said = lake.get_json(found)
        if said["run_id"] == run_id and not said["provisional"]:
            return key
    raise FileNotFoundError(f"{lake.url} has no final forecast of run {run_id}")


def _csv(
    file: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]] | Iterator[tuple[object, ...]]
) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)
