"""The BigQuery warehouse against an emulator, with Google's own client: what it gives is what the folder gives."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery

from cbi_common.core.errors import DataError, UsageError
from cbi_common.storage.warehouse import DayRange, open_warehouse
from cbi_common.storage.warehouse_bigquery import BigQueryWarehouse
from cbi_common.testing.bigquery import Emulator

DAYS = [date(2024, 5, 31), None, date(2024, 6, 3), date(2024, 6, 4)]
TABLE = pa.table(
    {
        "day": pa.array(DAYS),
        "seen": pa.array([datetime(2024, 6, d, 23, 59, 59, 999999, tzinfo=UTC) for d in (1, 2, 3, 4)]),
        "local": pa.array([datetime(2024, 6, d) for d in (1, 2, 3, 4)]),  # noqa: DTZ001 - BigQuery's DATETIME has no zone
        "close": [0.1 + 0.2, None, math.nan, -1e300],
        "n": [1, 2**62, None, -5],
        "name": ["a", "<b>'\"`", None, "ü"],
        "ok": [True, False, None, True],
    }
)
RANGES = [
    DayRange("day", date(2024, 6, 3)),
    DayRange("day", last=date(2024, 6, 3)),
    DayRange("day", date(2024, 6, 1), date(2024, 6, 3)),
    DayRange("day"),
    DayRange("day", date(2030, 1, 1)),
    DayRange("seen", date(2024, 6, 2), date(2024, 6, 3)),
    DayRange("local", date(2024, 6, 2), date(2024, 6, 3)),
]
VIEW = "CREATE OR REPLACE VIEW `some-project.shop.seen` AS SELECT day, close FROM `some-project.shop.tea` WHERE n > 0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    pq.write_table(TABLE, path / "shop.tea.parquet")
    pq.write_table(TABLE.slice(0, 0), path / "shop.nothing.parquet")
    return path


@pytest.fixture(scope="module")
def stocked(emulator: Emulator, folder: Path) -> Emulator:
    emulator.load_folder(folder)
    emulator.client().query(VIEW).result(timeout=20)
    return emulator


@pytest.fixture(scope="module", params=["storage", "rest"])
def warehouse(request: pytest.FixtureRequest, stocked: Emulator) -> BigQueryWarehouse:
    opened = open_warehouse(stocked.url(read=request.param))
    assert isinstance(opened, BigQueryWarehouse)
    return opened


def same(one: pa.Table, other: pa.Table) -> bool:
    """Equal bit for bit, NaN among the values."""
    return one.schema == other.schema and repr(one.to_pylist()) == repr(other.to_pylist())


def test_it_lists_and_describes_what_is_there(warehouse: BigQueryWarehouse, folder: Path) -> None:
    local = open_warehouse(str(folder))
    assert warehouse.tables() == ("shop.nothing", "shop.seen", "shop.tea")
    assert warehouse.label == "bigquery://some-project"
    assert not warehouse.simulated
    for name in local.tables():
        assert (warehouse.schema(name), warehouse.rows(name)) == (local.schema(name), local.rows(name))
    assert warehouse.schema("shop.seen").names == ["day", "close"]
    assert warehouse.rows("shop.seen") == 2


@pytest.mark.parametrize("columns", [None, ("close",), ("ok", "day"), ("name", "seen", "local", "n")])
def test_columns_come_as_from_the_folder(
    warehouse: BigQueryWarehouse, folder: Path, columns: tuple[str, ...] | None
) -> None:
    local = open_warehouse(str(folder))
    for name in local.tables():
        assert same(warehouse.read(name, columns), local.read(name, columns))


@pytest.mark.parametrize("days", RANGES, ids=str)
def test_days_come_as_from_the_folder(warehouse: BigQueryWarehouse, folder: Path, days: DayRange) -> None:
    read, expected = (w.read("shop.tea", ("close", "n"), days=days) for w in (warehouse, open_warehouse(str(folder))))
    assert same(read, expected)
    assert read.num_rows == (0 if days.first and days.first.year == 2030 else expected.num_rows) < 4


def test_a_view_is_read_by_its_query(warehouse: BigQueryWarehouse) -> None:
    read = warehouse.read("shop.seen")
    assert read.sort_by("close").to_pydict() == {"day": [DAYS[0], None], "close": [0.1 + 0.2, None]}
    assert warehouse.read("shop.seen", ("close",), days=DayRange("day", last=DAYS[0])).to_pydict() == {
        "close": [0.3 + 4e-17]
    }


def test_what_is_not_there_is_said_in_one_line(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(DataError, match=r"shop\.tea: no column 'open'; it has day, seen"):
        warehouse.read("shop.tea", ("open",))
    with pytest.raises(DataError, match=r"shop\.tea: column 'name' holds string, not days"):
        warehouse.read("shop.tea", days=DayRange("name"))
    with pytest.raises(DataError, match=r"shop\.milk: no such table"):
        warehouse.read("shop.milk")


def test_the_fingerprint_follows_content_and_not_order(emulator: Emulator) -> None:
    def print_of(table: pa.Table, project: str = "prints-project") -> str:
        emulator.load("shop.tea", table, project=project)
        return open_warehouse(emulator.url(project)).fingerprint("shop.tea")

    first = print_of(TABLE)
    assert print_of(TABLE) == first == print_of(TABLE.take([3, 1, 0, 2]))
    changed = TABLE.set_column(4, "n", pa.array([1, 2**62, None, -6]))
    prints = {first, print_of(changed), print_of(pa.concat_tables([TABLE, TABLE])), print_of(TABLE.slice(1))}
    assert len(prints) == 4
    doubled = [print_of(pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(i, 1), TABLE.slice(i, 1)])) for i in (2, 3)]
    assert len({*prints, *doubled}) == 6  # equal rows cancel out in an XOR


def test_the_fingerprint_of_a_view_follows_its_rows(emulator: Emulator) -> None:
    project = "views-project"
    emulator.load("shop.tea", TABLE, project=project)
    emulator.client(project).query(VIEW.replace("some-project", project)).result(timeout=20)
    before = open_warehouse(emulator.url(project)).fingerprint("shop.seen")
    assert open_warehouse(emulator.url(project)).fingerprint("shop.seen") == before
    emulator.load("shop.tea", TABLE, project=project, append=True)
    assert open_warehouse(emulator.url(project)).fingerprint("shop.seen") != before


def test_our_own_results_are_no_tables_of_the_warehouse(emulator: Emulator) -> None:
    project = "own-project"
    emulator.load("shop.tea", TABLE, project=project)
    emulator.load("cbi_results.forecasts", TABLE, project=project)
    labelled = bigquery.Dataset(f"{project}.kept")
    labelled.labels = {"cbi": "results"}
    emulator.client(project).create_dataset(labelled)
    emulator.load("kept.forecasts", TABLE, project=project)
    assert open_warehouse(emulator.url(project)).tables() == ("shop.tea",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("?endpoint=http://127.0.0.1:1", "one address of an emulator"),
        ("?endpoint=https://example.org&storage=example.org:443", "is no emulator"),
        ("?read=fast", "read='fast'"),
        ("?timeout_s=0", "timeout_s='0'"),
        ("?colour=red", "no parameter 'colour'"),
        ("/shop", "a dataset is no warehouse"),
    ],
)
def test_a_wrong_url_is_a_usage_error(more: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_warehouse(f"bigquery://some-project{more}")
