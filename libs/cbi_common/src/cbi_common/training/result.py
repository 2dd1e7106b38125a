"""The stored result of a job: the events it led to, and which event asked for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cbi_common.events.base import LakeRef
from cbi_common.events.training import ModelTrained
from cbi_common.storage.lake import Lake


@dataclass(frozen=True)
class TrainingResult:
    """What one job produced.

    Attributes
    ----------
    asked_by : id of the event that it was computed for
    models : one per horizon
    """

    asked_by: str
    models: tuple[ModelTrained, ...]

    def put(self, lake: Lake, key: str) -> None:
        """Store it."""
        models = [model.model_dump(mode="json") for model in self.models]
        lake.put_json(key, {"asked_by": self.asked_by, "models": models})

    @classmethod
    def find(cls, lake: Lake, key: str) -> TrainingResult | None:
        """Return the result under ``key``, or None when it, or anything it refers to, is missing or damaged."""
        stored = lake.get_if_intact(key)
        if stored is None:
            return None
        raw = json.loads(stored)
        result = cls(raw["asked_by"], tuple(ModelTrained.model_validate(model) for model in raw["models"]))
        return result if all(_intact(lake, ref) for model in result.models for ref in _refs(model)) else None

    def served_to(self, event_id: str, run_id: str) -> tuple[ModelTrained, ...]:
        """Return the events for another event than the one it was computed for: nothing was fitted this time.

        The event that it was computed for is told the same as before, because it is the same event once more.
        """
        if event_id == self.asked_by:
            return self.models
        spared = {"run_id": run_id, "status": "cached", "fit_seconds": 0.0}
        return tuple(model.model_copy(update={**spared, "cached_folds": model.refits}) for model in self.models)


def _refs(model: ModelTrained) -> list[LakeRef]:
    return [ref for ref in (model.predictions, model.artifact, model.folds, model.study) if ref is not None]


def _intact(lake: Lake, ref: LakeRef) -> bool:
    return lake.find(ref.key) == ref and lake.get_if_intact(ref.key) is not None
