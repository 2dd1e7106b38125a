"""Experiment tracking with MLflow: one experiment per model family, one run per model, horizon and pass.

Tracking is a convenience of the person who trains: whatever goes wrong here is said in one line and stops nothing.
The first use of a SQLite file creates its schema, which takes seconds; call it from a child process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_RUN, _MODEL, _HORIZON = "cbi.run_id", "cbi.model_id", "cbi.horizon"
_PAGE = 1000
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class TrackedModel:
    """A trained model as MLflow shows it.

    Attributes
    ----------
    run_id : str
        Pass that trained it.
    family, model_id, horizon : str
    dataset, dataset_sha256 : str
    params : name to value
    metrics : name to value
        A value of None is left out: a score that does not exist is not zero.
    simulated : bool
    """

    run_id: str
    family: str
    model_id: str
    horizon: str
    dataset: str
    dataset_sha256: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    simulated: bool = False


def track(arg: dict[str, Any]) -> dict[str, Any]:
    """Log models from a child process, one process at a time where the store is a file.

    Parameters
    ----------
    arg : dict
        ``uri``; ``rows``: fields of `TrackedModel`.

    Returns
    -------
    dict
        ``logged``: whether the store took them; ``message``: one line about it.
    """
    uri, rows = arg["uri"], [TrackedModel(**row) for row in arg["rows"]]
    if not uri.startswith(_SQLITE):
        logged, message = log_models(uri, rows)
        return {"logged": logged, "message": message}
    path = Path(uri.removeprefix(_SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # two processes would create its schema at the same time
        logged, message = log_models(uri, rows)
    return {"logged": logged, "message": message}


def log_models(uri: str, rows: Sequence[TrackedModel]) -> tuple[bool, str]:
    """Log models; one that a pass has logged before is left alone.

    Parameters
    ----------
    uri : str
        MLflow tracking URI: ``sqlite:///…`` or ``http://…``.
    rows : sequence of TrackedModel

    Returns
    -------
    bool
        Whether the store took them.
    str
        One line for the log: how many were logged, or why none could be.
    """
    # Read when mlflow is imported: it would wait minutes for a server that is away, and phone home.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    started = time.monotonic()
    try:
        if uri.startswith(_SQLITE):
            Path(uri.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=uri)
        ordered = sorted(rows, key=lambda row: row.family)
        logged = sum(
            _log_family(client, family, list(members)) for family, members in groupby(ordered, lambda r: r.family)
        )
    except (MlflowException, SQLAlchemyError, OSError) as error:
        shown = _without_password(uri)
        reason = " ".join(str(error).replace(uri, shown).split())[:200]
        return False, f"models were not tracked in {shown}: {reason}"
    return True, f"{logged} of {len(rows)} models tracked in {time.monotonic() - started:.1f} s"


def _log_family(client: MlflowClient, family: str, rows: Sequence[TrackedModel]) -> int:
    name = f"cbi/{family}"
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    done = {key for run_id in {row.run_id for row in rows} for key in _logged(client, experiment_id, run_id)}
    new = [row for row in rows if (row.run_id, row.model_id, row.horizon) not in done]
    for row in new:
        _log(client, experiment_id, row)
    return len(new)


def _logged(client: MlflowClient, experiment_id: str, run_id: str) -> Iterable[tuple[str, str, str]]:
    found = client.search_runs([experiment_id], f"tags.`{_RUN}` = '{run_id}'", max_results=_PAGE)
    for run in found:
        tags = run.data.tags
        if run.info.status == "FINISHED":
            yield tags[_RUN], tags[_MODEL], tags[_HORIZON]


def _log(client: MlflowClient, experiment_id: str, row: TrackedModel) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    tags = {_RUN: row.run_id, _MODEL: row.model_id, _HORIZON: row.horizon, "cbi.simulated": str(row.simulated).lower()}
    run = client.create_run(experiment_id, tags=tags, run_name=f"{row.model_id} {row.horizon}")
    described = {**row.params, "dataset": row.dataset, "dataset_sha256": row.dataset_sha256}
    params = [Param(key, str(value)[:500]) for key, value in sorted(described.items())]
    metrics = [Metric(key, value, now, 0) for key, value in sorted(row.metrics.items()) if value is not None]
    client.log_batch(run.info.run_id, metrics=metrics, params=params)
    client.set_terminated(run.info.run_id)


def _without_password(uri: str) -> str:
    scheme, at, rest = uri.rpartition("@")
    return f"{scheme.split('://', 1)[0]}://…@{rest}" if at else uri
