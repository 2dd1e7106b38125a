from dataclasses import asdict
from pathlib import Path

import pytest

from cbi_common.storage.tracking import TrackedModel, log_models, track

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow's own, while it is imported

ROWS = [
    TrackedModel("run1", "trees", "lgbm", "1w", "full", "ab" * 32, {"num_trees": 150}, {"mape": 0.03, "r2": None}),
    TrackedModel("run1", "statistical", "drift", "1w", "full", "ab" * 32, {}, {"mape": 0.04}, simulated=True),
]


def test_models_are_logged_once_with_what_decided_them(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    first = track({"uri": uri, "rows": [asdict(row) for row in ROWS]})
    assert first["logged"]
    assert first["message"].startswith("2 of 2 models tracked")
    logged, message = log_models(uri, ROWS)
    assert logged
    assert message.startswith("0 of 2 models tracked")
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("cbi/trees")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"num_trees": "150", "dataset": "full", "dataset_sha256": "ab" * 32}
    # A score that does not exist is left out, never zero.
    assert run.data.metrics == {"mape": 0.03}
    assert run.data.tags["cbi.run_id"] == "run1"
    assert run.data.tags["cbi.simulated"] == "false"


@pytest.mark.parametrize(
    "uri", ["sqlite:////proc/nowhere/mlflow.db", "http://kirk:secret@127.0.0.1:9", "file:/proc/nowhere"]
)
def test_trouble_is_a_line_and_not_an_error(uri: str) -> None:
    logged, said = log_models(uri, ROWS)
    assert not logged
    assert said.startswith("models were not tracked in ")
    assert "\n" not in said
    assert "secret" not in said
