from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbi_common.core.errors import DataError, UsageError
from cbi_common.storage import simulated_folder
from cbi_common.storage.simulated_folder import check_truth_file, write_folder, write_marked
from cbi_common.storage.warehouse import open_warehouse

URL = "simulated?sessions=300&seed=2"
VIX = "forecasting_data_warehouse.vix_daily"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "tables"
    write_folder(open_warehouse(URL), path, force=False)
    return path


def test_the_folder_is_the_warehouse_and_says_that_it_is_simulated(folder: Path) -> None:
    written, made = open_warehouse(str(folder)), open_warehouse(URL)
    assert written.simulated
    assert set(written.tables()) == set(made.tables())
    for name in made.tables():
        assert written.read(name).equals(made.read(name))
        assert written.rows(name) == made.rows(name)


def test_one_simulated_table_among_others_marks_the_whole_folder(folder: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "shop.tea.parquet")
    (tmp_path / "shop.broken.parquet").write_bytes(b"no parquet")
    assert not open_warehouse(str(tmp_path)).simulated
    (tmp_path / f"{VIX}.parquet").write_bytes((folder / f"{VIX}.parquet").read_bytes())
    assert open_warehouse(str(tmp_path)).simulated


def test_the_same_market_is_written_again_and_equal(folder: Path) -> None:
    before = (folder / f"{VIX}.parquet").read_bytes()
    written = write_folder(open_warehouse(URL), folder, force=False)
    assert (folder / f"{VIX}.parquet").read_bytes() == before
    assert {file.name for file in written} == set(open_warehouse(URL).tables())
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("other", ["shop.tea.parquet", "notes.txt", f"{VIX}.parquet"])
def test_a_folder_with_something_else_is_left_alone_unless_forced(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        write_folder(open_warehouse(URL), tmp_path, force=False)
    assert [entry.name for entry in tmp_path.iterdir()] == [other]
    write_folder(open_warehouse(URL), tmp_path, force=True)
    assert (tmp_path / other).exists()


def test_another_market_in_the_folder_is_something_else(folder: Path) -> None:
    with pytest.raises(UsageError, match="holds something else"):
        write_folder(open_warehouse(f"{URL}0"), folder, force=False)
    with pytest.raises(UsageError, match="is no folder"):
        write_folder(open_warehouse(URL), folder / f"{VIX}.parquet", force=True)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tables/truth.parquet", "inside the warehouse folder"),
        ("tables/deeper/../truth.parquet", "inside the warehouse folder"),
        ("shop.truth.parquet", "no table"),
        ("truth.csv", "Parquet file"),
        ("nowhere/truth.parquet", "cannot be written"),
    ],
)
def test_the_truth_may_not_lie_where_a_forecast_could_read_it(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "tables").mkdir()
    with pytest.raises(UsageError, match=says):
        check_truth_file(tmp_path / name, tmp_path / "tables")
    check_truth_file(tmp_path / "truth.parquet", tmp_path / "tables")


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(simulated_folder.pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_marked(pa.table({"a": [1]}), tmp_path / "shop.tea.parquet", "x")
    assert not (tmp_path / "shop.tea.parquet").exists()


def test_the_warehouse_object_holds_nothing_of_the_truth() -> None:
    warehouse = open_warehouse(URL)
    for name in warehouse.tables():
        warehouse.read(name)
    reachable, seen = [warehouse], set()
    while reachable:
        item = reachable.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        assert not hasattr(item, "regimes")
        reachable += [value for value in getattr(item, "__dict__", {}).values() if hasattr(value, "__dict__")]
    columns = {column for name in warehouse.tables() for column in warehouse.schema(name).names}
    assert not {column for column in columns if "oracle" in column or column == "regime"}


def test_flaws_and_drift_are_part_of_the_url_and_of_the_fingerprint() -> None:
    plain, flawed = open_warehouse(URL), open_warehouse(f"{URL}&flaws=duplicate_row:1")
    assert flawed.rows(VIX) == plain.rows(VIX) + 3
    assert flawed.fingerprint(VIX) != plain.fingerprint(VIX)
    drifted = open_warehouse(f"{URL}&drift_at=2025-01-06")
    assert drifted.fingerprint(VIX) != plain.fingerprint(VIX)
    price = "yahoo_finance_comprehensive.biofuel_components_canonical"
    changed = (
        drifted.read(price)["soybean_oil_price_cwt"].to_numpy() != plain.read(price)["soybean_oil_price_cwt"].to_numpy()
    )
    before = plain.read(price)["date"].to_numpy() < np.datetime64("2025-01-06")
    assert not changed[before].any()
    assert changed[~before].any()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("drift_at=soon", "drift_at='soon' is no date"),
        ("drift_at=1999-01-04", "drift_at 1999-01-04"),
        ("flaws=rust", "no flaw 'rust'"),
        ("seed=-1", "seed -1"),
    ],
)
def test_a_parameter_without_sense_is_refused(query: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_warehouse(f"simulated?sessions=300&{query}").read(VIX)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no column 'open'"):
        open_warehouse(URL).read(VIX, ("open",))
