"""One experiment per model family, one run per model, horizon and pass."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from cbi_common.storage.tracking.registry import register
from cbi_common.storage.tracking.store import experiment_of, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 1000
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class TrackedModel:
    """A trained model as MLflow shows it.

    Attributes
    ----------
    run_id : str
        Pass that trained it.
    market, as_of : str
        As ISO date.
    family, model_id, horizon : str
    dataset, dataset_sha256 : str
    params : name to value
    metrics : name to value
        A value of None is left out: a score that does not exist is not zero.
    simulated : bool
    files : Path, optional
        Folder whose files are logged beside it: its plots.
    model : Path, optional
        Folder of an MLflow model, to be registered as challenger.
    """

    run_id: str
    market: str
    as_of: str
    family: str
    model_id: str
    horizon: str
    dataset: str
    dataset_sha256: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    simulated: bool = False
    files: Path | None = None
    model: Path | None = None

    @property
    def key(self) -> _Key:
        """What tells it from every other."""
        return self.run_id, self.model_id, self.horizon

    @property
    def tags(self) -> dict[str, str]:
        """What it is found by."""
        return {
            "cbi.run_id": self.run_id,
            "cbi.market": self.market,
            "cbi.as_of": self.as_of,
            "cbi.model_id": self.model_id,
            "cbi.horizon": self.horizon,
            "cbi.simulated": str(self.simulated).lower(),
        }


def log_models(uri: str, rows: Sequence[TrackedModel]) -> str:
    """Log models and register the challengers among them; what was logged before is left alone.

    Parameters
    ----------
    uri : str
        MLflow tracking URI.
    rows : sequence of TrackedModel

    Returns
    -------
    str
        One line for the log: how many were new, and how long it took.

    Raises
    ------
    InfrastructureError
        When the store cannot take them; what it took stays, and is not logged again by the next attempt.
    """
    started, logged, registered = time.monotonic(), 0, 0
    with opened(uri) as client:
        for family, members in groupby(sorted(rows, key=lambda row: row.family), lambda row: row.family):
            mine = list(members)
            experiment_id = experiment_of(client, uri, f"cbi/{family}")
            done = _logged(client, experiment_id, mine)
            new = {row.key: _log(client, experiment_id, row) for row in mine if row.key not in done}
            runs = {**done, **new}
            logged += len(new)
            registered += sum(
                register(client, row.model, experiment_id, runs[row.key], row.tags, row.metrics)
                for row in mine
                if row.model is not None
            )
    return f"{logged} of {len(rows)} models tracked, {registered} registered, in {time.monotonic() - started:.1f} s"


def _logged(client: MlflowClient, experiment_id: str, rows: Sequence[TrackedModel]) -> dict[_Key, str]:
    """Return the MLflow run of each model that is logged; one that was cut off is deleted, to be logged anew."""
    wanted, found = {row.key for row in rows}, {}
    for run_id in sorted({row.run_id for row in rows}):
        for run in client.search_runs([experiment_id], f"tags.`cbi.run_id` = '{run_id}'", max_results=_PAGE):
            tags = run.data.tags
            key = (run_id, tags["cbi.model_id"], tags["cbi.horizon"])
            if run.info.status == "FINISHED":
                found[key] = run.info.run_id
            elif key in wanted:
                client.delete_run(run.info.run_id)
    return found


def _log(client: MlflowClient, experiment_id: str, row: TrackedModel) -> str:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    run = client.create_run(experiment_id, tags=row.tags, run_name=f"{row.model_id} {row.horizon}")
    run_id = str(run.info.run_id)
    described = {**row.params, "dataset": row.dataset, "dataset_sha256": row.dataset_sha256}
    params = [Param(key, str(value)[:500]) for key, value in sorted(described.items())]
    metrics = [Metric(key, value, now, 0) for key, value in sorted(row.metrics.items()) if value is not None]
    client.log_batch(run_id, metrics=metrics, params=params)
    if row.files is not None:
        client.log_artifacts(run_id, str(row.files), "plots")
    client.set_terminated(run_id)
    return run_id
