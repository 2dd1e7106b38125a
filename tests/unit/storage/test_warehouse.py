from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbi_common.core.errors import CbiError, DataError, UsageError
from cbi_common.markets import load_market
from cbi_common.storage.warehouse import FolderWarehouse, open_warehouse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # The type name is BigQuery's; pandas itself refuses to read it.
    pandas = b'{"columns": [{"name": "date", "pandas_type": "dbdate", "numpy_type": "dbdate"}], "index_columns": []}'
    table = pa.table({"date": pa.array([date(2020, 1, 2)]), "close": [1.5], "name": ["x"]})
    pq.write_table(table.replace_schema_metadata({b"pandas": pandas}), tmp_path / "shop.tea.parquet")
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "shop.milk.parquet")
    (tmp_path / "notes.parquet").write_text("not DATASET.TABLE: ignored")
    return tmp_path


def test_a_folder_lists_and_reads_its_tables(folder: Path) -> None:
    warehouse = open_warehouse(str(folder))
    assert warehouse.tables() == ("shop.milk", "shop.tea")
    assert not warehouse.simulated
    assert warehouse.rows("shop.milk") == 3
    assert warehouse.schema("shop.tea").names == ["date", "close", "name"]
    read = warehouse.read("shop.tea", ("close", "date"))
    assert read.column_names == ["close", "date"]
    assert read.schema.metadata is None
    assert read.to_pandas()["close"].tolist() == [1.5]


def test_the_label_holds_no_path(folder: Path) -> None:
    assert "/" not in open_warehouse(str(folder)).label


def test_the_fingerprint_follows_the_content(folder: Path) -> None:
    warehouse = FolderWarehouse(folder)
    before = warehouse.fingerprint("shop.milk")
    assert before == warehouse.fingerprint("shop.milk") != warehouse.fingerprint("shop.tea")
    pq.write_table(pa.table({"a": [1, 2, 4]}), folder / "shop.milk.parquet")
    assert warehouse.fingerprint("shop.milk") != before


@pytest.mark.parametrize(
    "name", ["../shop.tea", "shop/tea", "/etc/passwd", "shop.tea/../shop.tea", "notes", "shop.none"]
)
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    for ask in (FolderWarehouse(folder).read, FolderWarehouse(folder).fingerprint, FolderWarehouse(folder).rows):
        with pytest.raises(DataError, match="no such table"):
            ask(name)


def test_a_missing_column_names_table_column_and_what_there_is(folder: Path) -> None:
    with pytest.raises(DataError, match=r"shop\.tea: no column 'open'; it has date, close, name"):
        FolderWarehouse(folder).read("shop.tea", ("close", "open"))


@pytest.mark.parametrize("keep", [0, 3, 200, -20])
def test_a_truncated_file_is_said_in_one_line(folder: Path, keep: int) -> None:
    path = folder / "shop.tea.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    for ask in (FolderWarehouse(folder).read, FolderWarehouse(folder).schema, FolderWarehouse(folder).rows):
        with pytest.raises(DataError, match=r"^shop\.tea: cannot be read") as caught:
            ask("shop.tea")
        assert "\n" not in caught.value.line()


def test_damage_inside_a_file_is_a_data_error(folder: Path) -> None:
    path = folder / "shop.tea.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    with pytest.raises(DataError, match=r"shop\.tea"):
        FolderWarehouse(folder).read("shop.tea")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/nonexistent/folder", "no such folder"),
        ("{folder}/shop.tea.parquet", "no such folder"),
        ("{folder}/empty", "no tables"),
        ("gs://bucket/tables", "no such kind"),
        ("simulated?sessions=many", "no number"),
        ("simulated?color=red", "no parameter 'color'"),
        ("simulated?sessions=7", "7 sessions"),
        ("bigquery://Not_A_Project", "no project"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning:google")
def test_a_warehouse_that_is_none_is_a_usage_error(folder: Path, url: str, says: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(CbiError, match=says) as caught:
        open_warehouse(url.format(folder=folder)).read("yahoo_finance_comprehensive.biofuel_components_canonical")
    assert isinstance(caught.value, UsageError)


def test_the_simulated_market_has_the_tables_and_columns_that_the_market_file_reads() -> None:
    warehouse, market = open_warehouse("simulated?sessions=400&seed=3"), load_market("zl")
    assert warehouse.simulated
    assert set(warehouse.tables()) >= set(market.tables)
    for name, specs in market.tables.items():
        table = warehouse.read(name)
        for spec in specs:
            assert {spec.date, spec.value, *spec.where} <= set(table.column_names)
            for column, accepted in spec.where.items():
                assert set(accepted) & set(table[column].to_pylist())
        assert warehouse.rows(name) == table.num_rows > 0
    with pytest.raises(DataError, match="no such table"):
        warehouse.read("shop.tea")


def test_the_url_of_the_simulated_market_decides_its_content() -> None:
    name = "yahoo_finance_comprehensive.biofuel_components_canonical"

    def read(url: str) -> pa.Table:
        return open_warehouse(url, seed=1).read(name, ("date", "soybean_oil_price_cwt"))

    assert read("simulated?sessions=400").equals(read("simulated?sessions=400&seed=1"))
    assert not read("simulated?sessions=400").equals(read("simulated?sessions=400&seed=2"))
    prints = {
        open_warehouse(url, seed=1).fingerprint(name)
        for url in (
            "simulated",
            "simulated?sessions=400",
            "simulated?sessions=400&seed=2",
            "simulated?predictability=0.1",
        )
    }
    assert len(prints) == 4
