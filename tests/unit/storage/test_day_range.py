"""Days of a table: every warehouse gives the rows that a plain loop over the whole table would."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.storage import day_range
from cbi_common.storage.day_range import DayRange, days_until
from cbi_common.storage.warehouse import FolderWarehouse, open_warehouse

PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical"
KINDS = [pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("s", "UTC")]
BASE = datetime(2024, 2, 28, 23, 59, 59, tzinfo=UTC)

days = st.none() | st.integers(0, 5).map(lambda n: (BASE + timedelta(days=n)).date())


def table(kind: pa.DataType, offsets: list[int | None]) -> pa.Table:
    """Times of day near midnight, so that a cut at the wrong hour shows."""
    seen = [None if n is None else BASE + timedelta(hours=12 * n) for n in offsets]
    naive = [None if s is None else s.date() if pa.types.is_date(kind) else s.replace(tzinfo=None) for s in seen]
    return pa.table({"seen": pa.array(naive, pa.date32() if pa.types.is_date(kind) else pa.timestamp("us")).cast(kind),
                     "n": range(len(offsets))})  # fmt: skip


def by_hand(rows: pa.Table, wanted: DayRange) -> list[int]:
    kept = []
    for row in rows.cast(pa.schema([("seen", pa.date32()), ("n", pa.int64())]), safe=False).to_pylist():
        day = row["seen"]
        if day is not None and (wanted.first or day) <= day <= (wanted.last or day):
            kept.append(row["n"])
    return kept


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(offsets=st.lists(st.none() | st.integers(0, 10), max_size=12), first=days, last=days)
def test_the_rows_are_those_of_a_loop(
    kind: pa.DataType, offsets: list[int | None], first: date | None, last: date | None
) -> None:
    rows, wanted = table(kind, offsets), DayRange("seen", first, last)
    assert wanted.of(rows)["n"].to_pylist() == by_hand(rows, wanted)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("group", [2, 100])
def test_a_folder_gives_the_same_rows_whether_it_scans_or_reads(tmp_path: Path, kind: pa.DataType, group: int) -> None:
    rows, wanted = table(kind, [3, None, 1, 5, 4, 0, 2]), DayRange("seen", date(2024, 2, 29), date(2024, 3, 1))
    pq.write_table(rows, tmp_path / "shop.tea.parquet", row_group_size=group)
    warehouse = FolderWarehouse(tmp_path)
    assert warehouse.read("shop.tea", ("n",), days=wanted).to_pydict() == {"n": by_hand(rows, wanted)}
    assert warehouse.read("shop.tea", days=wanted).column_names == ["seen", "n"]
    assert warehouse.size("shop.tea") == (tmp_path / "shop.tea.parquet").stat().st_size


@pytest.mark.parametrize(
    ("url", "name", "column"), [("simulated?sessions=400&seed=3", PRICES, "date"), ("arch", "arch.wti", "Date")]
)
def test_warehouses_at_hand_give_days_and_sizes(url: str, name: str, column: str) -> None:
    warehouse = open_warehouse(url)
    whole = warehouse.read(name)
    middle = sorted(day for day in whole[column].cast(pa.date32()).to_pylist() if day)[whole.num_rows // 2]
    part = warehouse.read(name, days=DayRange(column, last=middle))
    assert part.num_rows == sum(day <= middle for day in whole[column].cast(pa.date32()).to_pylist()) < whole.num_rows
    assert warehouse.size(name) > 1000


def test_a_column_that_holds_no_days_is_refused() -> None:
    warehouse = open_warehouse("simulated?sessions=400&seed=3")
    with pytest.raises(DataError, match="holds double, not days"):
        warehouse.read(PRICES, days=DayRange("soybean_oil_price_cwt"))
    with pytest.raises(DataError, match="no column 'when'"):
        warehouse.read(PRICES, days=DayRange("when"))
    schema = warehouse.schema(PRICES)
    assert days_until(schema, "date", date(2024, 1, 1)) == DayRange("date", last=date(2024, 1, 1))
    assert days_until(schema, "when", date(2024, 1, 1)) is days_until(schema, "soybean_oil_price_cwt", date.max) is None


def test_the_doctests_hold() -> None:
    assert doctest.testmod(day_range).failed == 0
