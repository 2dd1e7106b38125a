"""A trained model as an MLflow model: MLmodel, signature, input example, and the bytes of the lake. No pickle."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cbi_common.core.errors import JobError
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.served_model import LOG_RETURN, PRICE, SESSION, Description, ServedModel, store

if TYPE_CHECKING:
    import pandas as pd

_DATA, _EXAMPLE = "data", "input_example.json"
_DIGITS = 15
_TOLERANCE = 1e-9
"""Of a log return: on another processor sums may be rounded otherwise."""


def write_mlmodel(
    folder: Path,
    artifact: bytes,
    description: Description,
    loader: str,
    known: Dataset,
    y_hat: float,
    facts: Mapping[str, Any],
) -> None:
    """Write an MLflow model that has been seen to repeat the forecast of its pass.

    Parameters
    ----------
    folder : Path
        Empty.
    artifact : bytes
        In the learner's native format.
    description : Description
    loader : str
        Module whose ``_load_pyfunc`` reads the folder ``data``.
    known : Dataset
        What was known at as_of, with the columns of the fit: its end is the input example.
    y_hat : float
        The stored forecast from its last row.
    facts : mapping
        More for the flavour ``cbi``: where the model comes from.

    Raises
    ------
    JobError
        When the model does not repeat its forecast.
    """
    store(folder / _DATA, artifact, description)
    served: ServedModel = import_module(loader)._load_pyfunc(str(folder / _DATA))
    example = served.example(known)
    said = float(served.predict(example)[LOG_RETURN].iloc[-1])
    if not np.isclose(said, y_hat, rtol=0.0, atol=_TOLERANCE):
        raise JobError(
            f"as an MLflow model it says {said:.9g} and not {y_hat:.9g}",
            where=f"{description.model_id} at {description.horizon}",
            hint="it is not registered; report this as a bug",
        )
    example.to_json(folder / _EXAMPLE, orient="split", index=False, double_precision=_DIGITS)
    told = description.model_dump(mode="json", exclude={"features"})
    _write_description(folder / "MLmodel", example, loader, {**told, **facts})


def _write_description(file: Path, example: pd.DataFrame, loader: str, facts: Mapping[str, Any]) -> None:
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import ColSpec, DataType, Schema

    features = [ColSpec(DataType.double, name) for name in example.columns if name not in (SESSION, PRICE)]
    inputs = [ColSpec(DataType.long, SESSION), ColSpec(DataType.double, PRICE), *features]
    model = Model(
        signature=ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, LOG_RETURN)])),
        saved_input_example_info={"artifact_path": _EXAMPLE, "type": "dataframe", "pandas_orient": "split"},
    )
    model.add_flavor("python_function", loader_module=loader, data=_DATA, python_version=platform.python_version())
    model.add_flavor("cbi", **facts)
    model.save(str(file))
