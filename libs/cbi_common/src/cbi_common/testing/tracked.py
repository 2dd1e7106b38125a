"""One model as MLflow is told of it."""

from __future__ import annotations

from cbi_common.storage.tracking.runs import TrackedModel

TRACKED = TrackedModel(
    run_id="run1",
    market="zl",
    as_of="2025-05-16",
    family="trees",
    model_id="lgbm",
    horizon="1w",
    dataset="full",
    dataset_sha256="ab" * 32,
    params={"num_trees": 150},
    metrics={"mape": 0.03, "skill": 0.0125, "r2": None},
)
