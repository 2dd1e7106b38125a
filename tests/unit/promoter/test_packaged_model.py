"""A package in memory: what its members say, alone, with changes, and on another day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.served_model import Description, Reach, ServedModel, store
from promoter.domain.package import Package, PackagedHorizon, PackagedMember
from promoter.serving import model as served
from promoter.serving.model import PackagedModel

WEEK, MONTH = Horizon("1w"), Horizon("1m")
ASKED: list[float] = []


class Doubling:
    """Says one and two times its artifact's number times the last value of its first feature."""

    name = "doubling"

    def forecast(self, model: float, data: Dataset) -> np.ndarray:
        ASKED.append(model)
        return model * float(data.features[-1, 0]) * np.array([1.0, 2.0])


def loader(folder: str) -> ServedModel:
    description = Description.model_validate_json((Path(folder) / "model.json").read_bytes())
    return ServedModel(Doubling(), float((Path(folder) / "artifact").read_bytes()), Reach(rows=1), description)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two models at two horizons: a net of both, and one that was fitted for each."""
    monkeypatch.setattr(served, "loader_of", lambda device: loader)
    ASKED.clear()
    members: dict[Horizon, list[PackagedMember]] = {WEEK: [], MONTH: []}
    for name, artifacts in (("net", {WEEK: b"0.1", MONTH: b"0.1"}), ("tree", {WEEK: b"0.2", MONTH: b"0.3"})):
        for horizon, artifact in artifacts.items():
            place, rows = f"models/{name}-{horizon}", f"rows/{name}-{horizon}.parquet"
            said = Description(
                model_id=name, learner="doubling", horizons=(WEEK, MONTH), horizon=horizon, features=("oil", "usd")
            )
            store(tmp_path / place, artifact, said)
            (tmp_path / "rows").mkdir(exist_ok=True)
            columns = {"session": pa.array([1, 2]), "price": pa.array([40.0, 50.0])}
            columns |= {"oil": pa.array([9.0, 0.5]), "usd": pa.array([1.0, np.nan])}
            pq.write_table(pa.table(columns), tmp_path / rows)
            member = PackagedMember(
                model_id=name, device="cpu", folder=place, rows=rows, weight=0.25, log_return=float(artifact)
            )
            members[horizon].append(member)
    package = Package(
        market="zl", title="Soybean oil", unit="¢/lb", run_id="r", as_of=date(2025, 5, 16), simulated=True,
        drivers={"crude": {"oil": "log"}}, group_of={"oil": "energy", "usd": "macro"},
        horizons={
            h: PackagedHorizon(
                target_date=date(2025, 6, 16), current=50.0, point=50.0, lower_90=45.0, upper_90=55.0,
                members=tuple(ms), groups={},
            )
            for h, ms in members.items()
        },
    )  # fmt: skip
    (tmp_path / "package.json").write_text(package.model_dump_json())
    yield tmp_path
    ASKED.clear()


def test_a_forecast_is_the_weighted_sum_of_its_members(folder: Path) -> None:
    model = PackagedModel(folder)
    assert model.log_return(WEEK) == pytest.approx(0.25 * 0.1 * 0.5 + 0.25 * 0.2 * 0.5)
    assert model.log_return(MONTH) == pytest.approx(0.25 * 0.1 * 1.0 + 0.25 * 0.3 * 1.0)
    assert model.log_return(WEEK, {"oil": 2.0, "usd": 7.0}) == pytest.approx(0.25 * 0.1 * 2.0 + 0.25 * 0.2 * 2.0)


def test_a_net_of_several_horizons_is_asked_once_for_all_of_them(folder: Path) -> None:
    model = PackagedModel(folder)
    for changes in ({}, {"oil": 2.0}, {"oil": 3.0}, {"oil": 2.0}):
        for horizon in (WEEK, MONTH):
            model.log_return(horizon, changes)
    assert [ASKED.count(artifact) for artifact in (0.1, 0.2, 0.3)] == [3, 3, 3]


def test_changes_are_told_by_group_and_move_point_and_band(folder: Path) -> None:
    found = PackagedModel(folder).forecast(WEEK, {"oil": 2.0})
    assert found.point == pytest.approx(50.0 * np.exp(0.15))
    assert found.lower_90 / found.point == pytest.approx(0.9)
    assert found.changed == {"energy": pytest.approx(50.0 * (np.exp(0.15) - np.exp(0.0375)))}


def test_another_day_forgets_what_was_said(folder: Path) -> None:
    model = PackagedModel(folder)
    before = model.log_return(WEEK)
    rows = Dataset(
        sessions=np.array([3]), dates=np.array(["2025-05-19"], dtype="datetime64[D]"), price=np.array([51.0]),
        features=np.array([[5.0, 1.0]]), names=("oil", "usd"),
    )  # fmt: skip
    moved = model.moved(lambda member, description: replace(rows, names=description.features))
    assert moved.log_return(WEEK) == pytest.approx(10 * before)
    assert model.log_return(WEEK) == before


def test_a_move_of_a_series_is_put_into_the_features_that_follow_it(folder: Path) -> None:
    model = PackagedModel(folder)
    assert model.shocked(WEEK, {"crude": 0.05}) == {"oil": pytest.approx(0.5 + np.log(1.05))}
    with pytest.raises(UsageError, match="no driver 'gold'"):
        model.shocked(WEEK, {"gold": 0.05})


@pytest.mark.parametrize(
    ("changes", "message"), [({"rain": 1.0}, "no member sees a feature 'rain'"), ({"oil": np.nan}, "must be a number")]
)
def test_changes_that_mean_nothing_are_refused(folder: Path, changes: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PackagedModel(folder).forecast(WEEK, changes)


def test_a_folder_without_a_package_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="no package"):
        PackagedModel(tmp_path)
