"""The series inside the arch package, read without importing it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError, UsageError
from cbi_common.markets import load_market
from cbi_common.storage import warehouse_arch
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.storage.warehouse_arch import ArchWarehouse
from cbi_common.timeseries.calendar import session_numbers, sessions_between

WTI, FIRST, LAST = "arch.wti", date(1986, 1, 2), date(2019, 1, 3)


def test_it_is_a_real_warehouse_with_three_tables() -> None:
    warehouse = open_warehouse("arch")
    assert isinstance(warehouse, ArchWarehouse)
    assert (warehouse.url, warehouse.label, warehouse.simulated) == ("arch", "arch", False)
    assert warehouse.tables() == ("arch.sp500", "arch.vix", WTI)
    assert {name: warehouse.rows(name) for name in warehouse.tables()} == {
        "arch.sp500": 5031,
        "arch.vix": 1305,
        WTI: 8611,
    }


def test_days_are_days_and_a_dot_is_no_price() -> None:
    table = ArchWarehouse().read(WTI)
    assert table.schema == pa.schema({"Date": pa.date32(), "DCOILWTICO": pa.float64()})
    assert (table["Date"][0].as_py(), table["Date"][-1].as_py()) == (FIRST, LAST)
    assert table["DCOILWTICO"].null_count == 290
    assert table["DCOILWTICO"][0].as_py() == 25.56


def test_it_reads_what_the_package_itself_reads() -> None:
    from arch.data import wti

    theirs, ours = wti.load(), ArchWarehouse().read(WTI)
    np.testing.assert_array_equal(theirs.index.to_numpy().astype("datetime64[D]"), ours["Date"].to_numpy())
    np.testing.assert_array_equal(theirs["DCOILWTICO"].to_numpy(), ours["DCOILWTICO"].to_numpy())


def test_the_package_is_never_imported() -> None:
    code = (
        "import sys; from cbi_common.storage.warehouse import open_warehouse; open_warehouse('arch').read('arch.vix');"
        "sys.exit('arch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_series_of_the_market_is_there() -> None:
    warehouse, market = ArchWarehouse(), load_market("wti")
    for name, specs in market.tables.items():
        assert {column for spec in specs for column in (spec.date, spec.value)} <= set(warehouse.schema(name).names)


def test_less_than_one_percent_of_the_days_is_lost_to_the_shared_calendar() -> None:
    """The number that ADR 0011 rests on."""
    table = ArchWarehouse().read(WTI).drop_null()
    days = table["Date"].to_numpy().astype("datetime64[D]")
    _, on_session = session_numbers(days)
    assert (len(days), int((~on_session).sum())) == (8321, 24)
    sessions = sessions_between(FIRST, LAST)
    assert (len(sessions), len(np.setdiff1d(sessions, days))) == (8326, 29)


def test_what_is_not_there_is_said() -> None:
    warehouse = ArchWarehouse()
    with pytest.raises(DataError, match=r"^arch\.gold: no such table; arch has arch\.sp500"):
        warehouse.read("arch.gold")
    with pytest.raises(DataError, match="no column 'close'"):
        warehouse.read(WTI, ("Date", "close"))


def test_a_machine_without_the_package_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise warehouse_arch.PackageNotFoundError

    monkeypatch.setattr(warehouse_arch, "distribution", missing)
    with pytest.raises(UsageError, match="arch is not installed; pip install arch"):
        ArchWarehouse()


def test_the_fingerprint_is_that_of_the_file() -> None:
    warehouse = ArchWarehouse()
    prints = {warehouse.fingerprint(name) for name in warehouse.tables()}
    assert len(prints) == 3
    assert {ArchWarehouse().fingerprint(name) for name in warehouse.tables()} == prints
    assert all(10_000 < warehouse.size(name) < 1_000_000 for name in ("arch.sp500", WTI))
