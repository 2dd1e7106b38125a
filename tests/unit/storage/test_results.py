"""Results in a folder: every event once, on the day it is about, with every value as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.events.base import EventData
from cbi_common.storage.result_rows import KINDS, RECORDED, kind_named, rows_of
from cbi_common.storage.results import FolderResults, open_results
from cbi_common.testing.fakes import envelope
from cbi_common.testing.outcomes import AS_OF, METRICS, outcomes

COUNTS = {"forecasts": 3, "explanations": 4, "validations": 1, "alerts": 1, "promotions": 5}


def fill(store: FolderResults, *, now: datetime = datetime(2025, 5, 17, 3, 4, 5, 678901, tzinfo=UTC)) -> None:
    for number, data in enumerate(outcomes()):
        event = envelope(data, event_id=f"event {number}/ü", now=now)
        kind, rows = rows_of(event, simulated=True)
        store.record(kind, event.id, rows)


def test_there_is_an_example_of_every_result() -> None:
    assert {type(data) for data in outcomes()} == set(RECORDED)


def test_every_kind_has_its_rows(tmp_path: Path) -> None:
    store = FolderResults(str(tmp_path / "results"))
    fill(store)
    assert {name: store.read(kind).num_rows for name, kind in KINDS.items()} == COUNTS
    for kind in KINDS.values():
        table = store.read(kind)
        assert table.schema.equals(kind.schema)
        assert set(kind.clustered) <= set(kind.schema.names)
        assert table["simulated"].to_pylist() == [True] * table.num_rows


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    store = FolderResults(str(tmp_path))
    fill(store)
    week = next(row for row in store.read(kind_named("forecasts")).to_pylist() if row["horizon"] == "1w")
    assert (week["day"], week["point"], week["mape"]) == (AS_OF, 49.123456789012345, METRICS.mape)
    assert (week["winkler_90"], week["missing"], week["members"]) == (None, None, '{"lgbm": 0.25, "no_change": 0.75}')
    assert week["time"] == datetime(2025, 5, 17, 3, 4, 5, 678901, tzinfo=UTC)
    missing = next(row for row in store.read(kind_named("forecasts")).to_pylist() if row["horizon"] == "3m")
    assert (missing["point"], missing["missing"]) == (None, "too few cutoffs")
    shares = {(r["level"], r["name"]): r["share"] for r in store.read(kind_named("explanations")).to_pylist()}
    assert shares[("move", "")] == pytest.approx(shares[("group", "energy")] + shares[("group", "china")])
    decisions = [row["decision"] for row in store.read(kind_named("promotions")).to_pylist()]
    assert sorted(decisions) == ["promoted", "promoted", "rejected", "rejected", "shadowed"]


def test_an_event_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    store = FolderResults(str(tmp_path))
    fill(store)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    fill(store)
    fill(store, now=datetime(2026, 1, 1, tzinfo=UTC))  # announced again, later: the id is the same, the day is not
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    assert len(before) == len(outcomes())


def test_a_time_of_another_zone_is_kept_in_utc() -> None:
    east = datetime(2025, 5, 17, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    _, rows = rows_of(envelope(outcomes()[3], now=east), simulated=None)
    assert rows["time"].to_pylist() == [datetime(2025, 5, 16, 23, 30, tzinfo=UTC)]
    assert rows["day"].to_pylist() == [date(2025, 5, 16)]


def test_days_before_since_are_left_out(tmp_path: Path) -> None:
    store = FolderResults(str(tmp_path))
    fill(store)
    assert store.read(kind_named("forecasts"), date(2025, 5, 17)).num_rows == 0
    assert store.read(kind_named("forecasts"), AS_OF).num_rows == 3
    assert store.read(kind_named("alerts"), date(2025, 5, 17)).num_rows == 1  # the day it was raised


def test_a_result_that_says_nothing_leaves_no_file(tmp_path: Path) -> None:
    empty: EventData = outcomes()[2].model_copy(update={"horizons": {}})
    kind, rows = rows_of(envelope(empty), simulated=None)
    FolderResults(str(tmp_path)).record(kind, "x", rows)
    assert (rows.num_rows, list(tmp_path.iterdir())) == (0, [])


def test_a_damaged_file_is_said_in_one_line(tmp_path: Path) -> None:
    store = FolderResults(str(tmp_path))
    fill(store)
    next((tmp_path / "alerts").rglob("*.parquet")).write_bytes(b"PAR1 no more")
    with pytest.raises(InfrastructureError, match="cannot be read") as caught:
        store.read(kind_named("alerts"))
    assert "\n" not in caught.value.line()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InfrastructureError, match=r"cannot write.*CBI_RESULTS"):
        fill(FolderResults(str(tmp_path / "file")))


def test_what_is_no_store_or_kind_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nowhere://x"):
        open_results("nowhere://x")
    with pytest.raises(UsageError, match="there are forecasts, explanations"):
        kind_named("opinions")
