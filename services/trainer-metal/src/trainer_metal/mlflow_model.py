"""How MLflow loads a net: named in the MLmodel file as its loader. TensorFlow is not needed."""

from __future__ import annotations

from typing import Any

from cbi_common.timeseries.nets.sequence import SequenceNetwork
from cbi_common.training.learner import Learner
from cbi_common.training.served_model import Reach, ServedModel, load
from trainer_metal.adapters.keras_dense import Dense
from trainer_metal.adapters.keras_sequence import SequenceNet

LEARNERS: tuple[Learner[Any], ...] = (Dense(), SequenceNet())


def _load_pyfunc(path: str) -> ServedModel:
    return load(path, LEARNERS, _reach)


def _reach(model: Any) -> Reach:
    return Reach(rows=model.window) if isinstance(model, SequenceNetwork) else Reach()
