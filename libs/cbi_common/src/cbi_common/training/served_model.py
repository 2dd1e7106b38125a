"""A trained model outside the pipeline: what MLflow loads from native bytes, without pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.learner import Learner

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT, DESCRIPTION = "artifact", "model.json"
SESSION, PRICE, LOG_RETURN = "session", "price", "log_return"


class Description(BaseModel):
    """What lies beside the artifact.

    Attributes
    ----------
    model_id, learner : str
        Of the catalogue.
    horizons : of the fit, in the order of its forecasts
    horizon : the one that is served
    features : columns that the fit saw, in order
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    learner: str
    horizons: tuple[Horizon, ...]
    horizon: Horizon
    features: tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """How far back a forecast looks.

    Attributes
    ----------
    rows : int >= 1
        Rows that it needs, its own included.
    since : int or None
        Session of the fit, where the model is moved on price by price from there.
    """

    rows: int = 1
    since: int | None = None

    def start(self, data: Dataset) -> int:
        """Return the row from which on a forecast from the last row needs the data."""
        start = max(0, len(data.sessions) - self.rows)
        return start if self.since is None else min(start, int(np.searchsorted(data.sessions, self.since)))

    def reaches(self, data: Dataset) -> bool:
        """Return whether a forecast from the last row can be made."""
        if len(data.sessions) < self.rows:
            return False
        return self.since is None or bool(data.sessions[0] <= self.since <= data.sessions[-1])


@dataclass(frozen=True)
class ServedModel:
    """A model as MLflow's python_function calls it."""

    learner: Learner[Any]
    model: Any
    reach: Reach
    description: Description

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return ``log_return`` over the horizon for each row, from that row and those above it.

        Parameters
        ----------
        model_input : DataFrame
            ``session`` (session number, ascending), ``price`` (> 0, in the market's unit), then the features; NaN is a
            value that was not known.
        params : mapping, optional
            MLflow passes it; there are none.

        Returns
        -------
        DataFrame
            NaN where the rows above do not reach as far back as the model looks.

        Raises
        ------
        DataError
            When sessions do not ascend or a price is not positive.
        """
        del params
        import pandas as pd

        data = self._dataset(model_input)
        column = self.description.horizons.index(self.description.horizon)
        said = [
            float(self.learner.forecast(self.model, view)[column]) if self.reach.reaches(view) else np.nan
            for view in map(data.until, data.sessions.tolist())
        ]
        return pd.DataFrame({LOG_RETURN: np.array(said, dtype=np.float64)}, index=model_input.index)

    def example(self, data: Dataset) -> pd.DataFrame:
        """Return the fewest rows from which the model forecasts from the last row of ``data``."""
        import pandas as pd

        start = self.reach.start(data)
        columns = {SESSION: data.sessions[start:], PRICE: data.price[start:]}
        columns |= {name: data.features[start:, i] for i, name in enumerate(data.names)}
        return pd.DataFrame(columns)

    def _dataset(self, rows: pd.DataFrame) -> Dataset:
        sessions = rows[SESSION].to_numpy(dtype=np.int64)
        price = rows[PRICE].to_numpy(dtype=np.float64)
        if not (np.diff(sessions) > 0).all() or not (price > 0).all():
            raise DataError(
                "sessions must ascend and prices be positive", where=self.description.model_id, hint="sort the rows"
            )
        return Dataset(
            sessions=sessions,
            dates=np.array([session_date(int(session)) for session in sessions], dtype="datetime64[D]"),
            price=price,
            features=rows[list(self.description.features)].to_numpy(dtype=np.float64),
            names=self.description.features,
        )


def load(folder: str, learners: Sequence[Learner[Any]], reach: Callable[[Any], Reach]) -> ServedModel:
    """Return the model in a folder that `store` wrote.

    Parameters
    ----------
    folder : str
    learners : what the service can load
    reach : function of a loaded model to how far back it looks

    Raises
    ------
    JobError
        When none of the learners is the model's.
    """
    path = Path(folder)
    description = Description.model_validate_json((path / DESCRIPTION).read_bytes())
    for learner in learners:
        if learner.name == description.learner:
            model = learner.load((path / ARTIFACT).read_bytes())
            return ServedModel(learner, model, reach(model), description)
    raise JobError(
        f"no learner {description.learner!r}", where=description.model_id, hint="install the trainer that fitted it"
    )


def store(folder: Path, artifact: bytes, description: Description) -> None:
    """Write what `load` reads into ``folder``, which is made."""
    folder.mkdir(parents=True)
    (folder / ARTIFACT).write_bytes(artifact)
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
