"""How MLflow loads a model of this trainer: named in the MLmodel file as its loader."""

from __future__ import annotations

from typing import Any

from cbi_common.training.served_model import Reach, ServedModel, load
from trainer_cpu.domain.recursive import Fitted
from trainer_cpu.jobs import LEARNERS


def _load_pyfunc(path: str) -> ServedModel:
    return load(path, LEARNERS, _reach)


def _reach(model: Any) -> Reach:
    return Reach(since=model.session) if isinstance(model, Fitted) else Reach()
