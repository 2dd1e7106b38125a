"""The MLflow store: how it is opened, and its trouble as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from cbi_common.core.errors import InfrastructureError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
_ARTIFACTS = "mlartifacts"


@contextmanager
def opened(uri: str) -> Iterator[MlflowClient]:
    """Open a store; where it is a file, for one process at a time.

    Parameters
    ----------
    uri : str
        MLflow tracking URI: ``sqlite:///…`` or ``http://…``.

    Raises
    ------
    InfrastructureError
        In one line and without its password: the store is away, full, damaged, or refuses.
    """
    # Read when mlflow is imported: it would wait minutes for a server that is away, and phone home.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    file = _file_of(uri)
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        # Two processes would create a file's schema at the same time.
        with nullcontext() if file is None else FileLock(file.with_suffix(".lock")):
            yield MlflowClient(tracking_uri=uri)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        shown = _without_password(uri)
        reason = " ".join(str(error).replace(uri, shown).split())[:200]
        raise InfrastructureError(reason, where=f"MLflow {shown}", hint="see docs/tracking.md") from error


def reached(uri: str) -> str:
    """Ask a store for something small, and say that it answered.

    Parameters
    ----------
    uri : str
        MLflow tracking URI.

    Raises
    ------
    InfrastructureError
        As `opened`.
    """
    with opened(uri) as client:
        client.search_experiments(max_results=1)
    return "the store answers"


def experiment_of(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of an experiment, made where there is none; a file's plots and models lie beside it."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    file = _file_of(uri)
    beside = None if file is None else (file.parent.absolute() / _ARTIFACTS / name).as_uri()
    return str(client.create_experiment(name, artifact_location=beside))


def _file_of(uri: str) -> Path | None:
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def _without_password(uri: str) -> str:
    scheme, at, rest = uri.rpartition("@")
    return f"{scheme.split('://', 1)[0]}://…@{rest}" if at else uri
