import resource
from dataclasses import replace
from pathlib import Path

import pytest

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.storage.tracking.registry import CHALLENGER, CHAMPION, registered_name, set_champion
from cbi_common.storage.tracking.runs import log_models
from cbi_common.storage.tracking.store import opened, reached
from cbi_common.testing.tracked import TRACKED as ROW

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow's own, while it is imported

DRIFT = replace(ROW, family="statistical", model_id="drift", params={}, metrics={"mape": 0.04}, simulated=True)


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One store for the module: its schema takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'new' / 'mlflow.db'}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    return tmp_path / "model"


def runs_of(uri, family, run_id):
    with opened(uri) as client:
        experiment = client.get_experiment_by_name(f"cbi/{family}")
        return client.search_runs([experiment.experiment_id], f"tags.`cbi.run_id` = '{run_id}'")


def files_of(uri, run):
    with opened(uri) as client:
        return sorted(file.path for file in client.list_artifacts(run.info.run_id, "plots"))


def aliases(uri, name):
    with opened(uri) as client:
        (registered,) = client.search_registered_models(f"name = '{name}'")
        return {alias: str(version) for alias, version in registered.aliases.items()}  # a file's store says int


def test_models_are_logged_once_with_what_decided_them(uri):
    assert log_models(uri, [ROW, DRIFT]).startswith("2 of 2 models tracked, 0 registered")
    assert log_models(uri, [ROW, DRIFT]).startswith("0 of 2 models tracked, 0 registered")
    (run,) = runs_of(uri, "trees", "run1")
    assert run.data.params == {"num_trees": "150", "dataset": "full", "dataset_sha256": "ab" * 32}
    # A score that does not exist is left out, never zero.
    assert run.data.metrics == {"mape": 0.03, "skill": 0.0125}
    tags = {name: value for name, value in run.data.tags.items() if name.startswith("cbi.")}
    assert tags == {
        "cbi.run_id": "run1",
        "cbi.market": "zl",
        "cbi.as_of": "2025-05-16",
        "cbi.model_id": "lgbm",
        "cbi.horizon": "1w",
        "cbi.simulated": "false",
    }
    assert runs_of(uri, "statistical", "run1")[0].data.tags["cbi.simulated"] == "true"


def test_files_lie_beside_the_store_and_a_model_that_was_cut_off_is_logged_anew(uri, tmp_path, monkeypatch):
    row = replace(ROW, run_id="cut", family="volatility", files=tmp_path / "plots")
    row.files.mkdir()
    (row.files / "forecast.svg").write_bytes(b"<svg/>")

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifacts", full)
        with pytest.raises(InfrastructureError, match="no space left"):
            log_models(uri, [row])
    (unfinished,) = runs_of(uri, "volatility", "cut")
    assert unfinished.info.status == "RUNNING"
    assert log_models(uri, [row]).startswith("1 of 1 models tracked")
    (run,) = runs_of(uri, "volatility", "cut")
    assert run.info.run_id != unfinished.info.run_id
    assert run.info.status == "FINISHED"
    assert files_of(uri, run) == ["plots/forecast.svg"]
    artifacts = Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert run.info.artifact_uri.startswith(artifacts.as_uri())


def test_the_best_of_a_pass_is_registered_once_as_challenger(uri, folder):
    row = replace(ROW, run_id="reg1", market="corn", model=folder)
    assert "1 registered" in log_models(uri, [row])
    assert "0 registered" in log_models(uri, [row])
    (run,) = runs_of(uri, "trees", "reg1")
    with opened(uri) as client:
        (version,) = client.search_model_versions("name = 'cbi-corn-1w'")
    assert version.run_id == run.info.run_id
    assert version.tags | {"cbi.model_id": "lgbm", "cbi.skill": "0.0125", "cbi.as_of": "2025-05-16"} == version.tags
    assert aliases(uri, "cbi-corn-1w") == {CHALLENGER: "1"}


def test_the_alias_follows_the_newest_day_and_leaves_the_champion(uri, folder):
    row = replace(ROW, market="wheat", model=folder)
    days = {"a": "2025-05-16", "b": "2025-05-15", "c": "2025-05-16", "d": "2025-05-19"}
    followed = []
    for run_id, as_of in days.items():
        log_models(uri, [replace(row, run_id=run_id, as_of=as_of)])
        if run_id == "a":
            set_champion(uri, market="wheat", horizon="1w", run_id="a", simulated=False)
        followed.append(aliases(uri, "cbi-wheat-1w"))
    assert [found[CHALLENGER] for found in followed] == ["1", "1", "3", "4"]
    assert {found[CHAMPION] for found in followed} == {"1"}
    # Told again of an old pass: nothing moves.
    log_models(uri, [replace(row, run_id="a")])
    assert aliases(uri, "cbi-wheat-1w") == followed[-1]


def test_a_promotion_sets_the_champion_once_and_says_what_was_before(uri, folder):
    row = replace(ROW, market="oats", model=folder)
    log_models(uri, [replace(row, run_id="old"), replace(row, run_id="new", model_id="lstm", as_of="2025-06-16")])
    promote = {"market": "oats", "horizon": "1w", "simulated": False}
    first = set_champion(uri, run_id="old", **promote)
    assert (first.version, first.model_id, first.previous) == ("1", "lgbm", None)
    second = set_champion(uri, run_id="new", **promote)
    assert (second.version, second.model_id, second.previous) == ("2", "lstm", "1")
    assert set_champion(uri, run_id="new", **promote) == replace(second, previous=None)
    assert aliases(uri, "cbi-oats-1w") == {CHALLENGER: "2", CHAMPION: "2"}


@pytest.mark.parametrize("market", ["rice", "oil"])
def test_a_pass_that_registered_nothing_has_no_champion(uri, folder, market):
    log_models(uri, [replace(ROW, run_id="known", market="rice", model=folder)])
    with pytest.raises(UsageError, match="registered no version"):
        set_champion(uri, market=market, horizon="1w", run_id="unknown", simulated=False)


def test_nothing_is_left_in_the_working_directory(uri, folder, tmp_path, monkeypatch):
    """MLflow opens a store of its own there as soon as someone asks it without a URI."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    row = replace(ROW, run_id="here", market="soy", model=folder, files=folder)
    assert "1 registered" in log_models(uri, [row])
    set_champion(uri, market="soy", horizon="1w", run_id="here", simulated=False)
    assert list(Path.cwd().iterdir()) == []


def test_what_is_simulated_never_shares_a_name_with_what_is_not(uri, folder):
    log_models(uri, [replace(ROW, run_id="sim", market="rye", simulated=True, model=folder)])
    assert aliases(uri, registered_name("rye", "1w", simulated=True)) == {CHALLENGER: "1"}
    with pytest.raises(UsageError):
        set_champion(uri, market="rye", horizon="1w", run_id="sim", simulated=False)


@pytest.mark.parametrize(
    "away", ["sqlite:////proc/nowhere/mlflow.db", "http://kirk:secret@127.0.0.1:9", "file:/proc/nowhere"]
)
def test_a_store_that_is_away_is_a_line_without_its_password(away):
    with pytest.raises(InfrastructureError) as caught:
        log_models(away, [ROW])
    said = caught.value.line()
    assert said.startswith("MLflow ")
    assert "\n" not in said
    assert "secret" not in said


def test_a_damaged_store_is_a_line_and_is_left_as_it_is(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"rotten" * 1000)
    for call in (reached, lambda uri: log_models(uri, [ROW])):
        with pytest.raises(InfrastructureError, match="not a database"):
            call(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert (tmp_path / "mlflow.db").read_bytes() == b"rotten" * 1000


def test_a_full_disk_is_a_line_and_once_there_is_space_nothing_is_missing(uri):
    row = replace(ROW, run_id="full", params={f"p{i}": "x" * 400 for i in range(100)})
    size = Path(uri.removeprefix("sqlite:///")).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(InfrastructureError) as caught:
            log_models(uri, [row])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in caught.value.line()
    assert log_models(uri, [row]).startswith("1 of 1 models tracked")
    (run,) = runs_of(uri, "trees", "full")
    assert len(run.data.params) == 102
