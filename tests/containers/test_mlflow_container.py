"""MLflow's server as compose.yaml runs it: models are tracked over HTTP as they are in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from cbi_common.storage.tracking.runs import log_models
from cbi_common.storage.tracking.store import opened
from cbi_common.testing.compose import services_of
from cbi_common.testing.tracked import TRACKED as ROW

pytestmark = [pytest.mark.containers, pytest.mark.filterwarnings("ignore")]  # mlflow's own, while it is imported


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    service = services_of()["mlflow"]
    container = (
        DockerContainer(service["image"], read_only=True, user="10000:10000")
        .with_tmpfs_mount("/mlflow")
        .with_tmpfs_mount("/tmp")
        .with_command(" ".join(service["command"]))
        .with_exposed_ports(5000)
        .waiting_for(HttpWaitStrategy(5000, "/health").for_status_code(200).with_startup_timeout(240))
    )
    for name, value in service["environment"].items():
        container = container.with_env(name, value)
    with container:
        yield f"http://127.0.0.1:{container.get_exposed_port(5000)}"


def test_a_model_its_plots_and_its_registration_arrive(uri: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "forecast.svg").write_bytes(b"<svg/>")
    row = replace(ROW, files=tmp_path / "plots", model=tmp_path / "model")
    assert log_models(uri, [row]).startswith("1 of 1 models tracked, 1 registered")
    assert log_models(uri, [row]).startswith("0 of 1 models tracked, 0 registered")
    with opened(uri) as client:
        experiment = client.get_experiment_by_name("cbi/trees")
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.data.metrics == {"mape": 0.03, "skill": 0.0125}
        assert [file.path for file in client.list_artifacts(run.info.run_id, "plots")] == ["plots/forecast.svg"]
        (version,) = client.search_model_versions("name = 'cbi-zl-1w'")
        assert version.run_id == run.info.run_id
