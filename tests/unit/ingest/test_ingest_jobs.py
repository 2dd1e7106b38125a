"""The export as a whole: same inputs same bits, the future changes nothing, trouble is an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.events.data import DataExported, DataRejected
from cbi_common.events.manifest import RunManifest
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.testing.folders import rewrite
from ingest import exporting, jobs

PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical"
DATES = {series.table: series.date for series in load_market("zl").series}


def asked(lake: Path, warehouse: Path | str, **more: Any) -> dict[str, Any]:
    # One wide table is enough here, and faster than all.
    few = {"profile": "smoke", "datasets": ["trump_rich"]}
    return {"lake": str(lake), "warehouse": str(warehouse), "market": "zl", **few, **more}


def exported(lake: Path, warehouse: Path | str, **more: Any) -> DataExported:
    return DataExported.model_validate(jobs.export(asked(lake, warehouse, **more))["exported"])


def manifest_of(lake: Path, event: DataExported) -> RunManifest:
    assert event.manifest is not None
    return RunManifest.model_validate(Lake(str(lake)).get_json(event.manifest))


def full(lake: Path, event: DataExported) -> pa.Table:
    return get_table(Lake(str(lake)), event.datasets["full"].ref)


def test_an_export_says_what_it_is(tmp_path: Path, folder: Path) -> None:
    event = exported(tmp_path, folder)
    manifest = manifest_of(tmp_path, event)
    assert event.complete
    assert (event.warehouse, event.simulated) == ("tables", False)
    assert manifest.run_id == event.run_id
    assert manifest.as_of == event.as_of == event.datasets["full"].end
    table = full(tmp_path, event)
    assert table.column_names[:3] == ["session", "date", "price"]
    assert table.schema.field("date").type == pa.date32()
    assert table.num_columns - 3 == event.datasets["full"].columns
    assert table.num_rows == event.datasets["full"].rows == 1500
    panel = get_table(Lake(str(tmp_path)), event.datasets["panel"].ref)
    assert set(panel.column_names[3:]) == set(load_market("zl").by_name)
    assert {quality.verdict for quality in event.quality.values()} == {"ok"}


def test_the_simulated_market_is_marked(tmp_path: Path) -> None:
    event = exported(tmp_path, "simulated?sessions=1500&seed=5")
    assert event.simulated
    assert manifest_of(tmp_path, event).simulated


def test_the_same_again_computes_nothing(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = jobs.export(asked(tmp_path, folder))
    monkeypatch.setattr(exporting, "judge", None)
    assert jobs.export(asked(tmp_path, folder)) == first


def test_an_empty_lake_gives_the_same_bits(tmp_path: Path, folder: Path) -> None:
    one, two = exported(tmp_path / "one", folder), exported(tmp_path / "two", folder)
    assert one == two


def test_a_damaged_dataset_is_made_again(tmp_path: Path, folder: Path) -> None:
    first = exported(tmp_path, folder)
    sha256 = first.datasets["full"].sha256
    (tmp_path / "cas" / sha256[:2] / sha256).write_bytes(b"damage")
    assert exported(tmp_path, folder) == first
    assert full(tmp_path, first).num_rows == 1500


def test_another_table_profile_or_day_is_another_export(tmp_path: Path, folder: Path) -> None:
    first = exported(tmp_path, folder)
    assert exported(tmp_path, folder, as_of="2025-05-15").run_id != first.run_id
    assert exported(tmp_path, folder, profile="quick").run_id != first.run_id
    assert exported(tmp_path, folder, as_of="2025-05-18").run_id == first.run_id

    def shifted(name: str, table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("close")
        return table.set_column(at, "close", pa.array(table["close"].to_numpy() + 1)) if "vix" in name else table

    rewrite(folder, tmp_path / "changed", shifted)
    assert exported(tmp_path, tmp_path / "changed").run_id != first.run_id


def poisoned(cutoff: np.datetime64, how: str, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)

    def change(name: str, table: pa.Table) -> pa.Table:
        days = table[DATES[name]].to_numpy()
        later = days > cutoff
        if how == "delete":
            # The last day stays: a run needs a price at its as_of.
            return table.filter(pa.array(~later | (days == days.max())))
        for i, column in enumerate(table.column_names):
            if pa.types.is_floating(table.schema.field(column).type):
                values = table[column].to_numpy().copy()
                values[later & (days < days.max())] *= rng.uniform(-2, 3, (later & (days < days.max())).sum())
                table = table.set_column(i, column, pa.array(values))
        return table

    return change


@pytest.mark.parametrize("how", ["noise", "delete"])
@pytest.mark.parametrize("cutoff", ["2023-03-15", "2024-08-30"])
def test_the_future_changes_no_bit_before_it(tmp_path: Path, folder: Path, how: str, cutoff: str) -> None:
    rewrite(folder, tmp_path / "poisoned", poisoned(np.datetime64(cutoff), how))
    clean, dirty = exported(tmp_path / "a", folder), exported(tmp_path / "b", tmp_path / "poisoned")
    whole, spoiled = full(tmp_path / "a", clean), full(tmp_path / "b", dirty)
    before = int((whole["date"].to_numpy() <= np.datetime64(cutoff)).sum())
    assert before > 800
    assert whole.column_names == spoiled.column_names
    for name in whole.column_names:
        one, two = whole[name].to_numpy()[:before], spoiled[name].to_numpy()[:before]
        assert one.tobytes() == two.tobytes(), name
    assert not whole.equals(spoiled)
    last = int(whole["session"][before - 1].as_py())
    early = [r for r in manifest_of(tmp_path / "a", clean).refits if r.session <= last]
    assert early == [r for r in manifest_of(tmp_path / "b", dirty).refits if r.session <= last] != []


@pytest.mark.parametrize(
    ("request_", "check"), [({"as_of": "1950-01-02"}, "as_of"), ({"as_of": "2030-01-02"}, "stale")]
)
def test_a_day_without_data_is_rejected(tmp_path: Path, folder: Path, request_: dict[str, str], check: str) -> None:
    event = DataRejected.model_validate(jobs.export(asked(tmp_path, folder, **request_))["rejected"])
    assert (event.table, event.check) == (PRICES, check)
    assert request_["as_of"] in event.message
    assert event.quality


def test_a_truncated_price_table_is_rejected_and_a_truncated_driver_is_not(tmp_path: Path, folder: Path) -> None:
    for table in (PRICES, "forecasting_data_warehouse.currency_data"):
        broken = tmp_path / table
        rewrite(folder, broken, lambda _, table: table)
        path = broken / f"{table}.parquet"
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[: len(data) // 2])
    rejected = jobs.export(asked(tmp_path / "lake", tmp_path / PRICES))["rejected"]
    assert (rejected["table"], rejected["check"]) == (PRICES, "unreadable")
    event = exported(tmp_path / "lake", tmp_path / "forecasting_data_warehouse.currency_data")
    assert event.quality["forecasting_data_warehouse.currency_data"].verdict == "rejected"
    assert event.datasets["full"].dropped_columns["usd_brl_return_21"].startswith("unreadable")
    assert "usd_brl_return_21" not in full(tmp_path / "lake", event).column_names


def test_too_short_a_history_is_rejected(tmp_path: Path, folder: Path) -> None:
    rejected = jobs.export(asked(tmp_path, folder, as_of="2019-10-01"))["rejected"]
    assert rejected["check"] == "history"
    assert f"{rejected['count']} sessions" in rejected["message"]
    assert 60 < rejected["count"] < 120


def test_tables_that_nobody_reads_are_counted(tmp_path: Path, folder: Path) -> None:
    rewrite(folder, tmp_path / "more", lambda _, table: table)
    from pyarrow import parquet

    parquet.write_table(pa.table({"a": pa.array([1, 2])}), tmp_path / "more" / "shop.tea.parquet")
    parquet.write_table(pa.table({"a": pa.nulls(0)}), tmp_path / "more" / "shop.empty.parquet")
    (tmp_path / "more" / "shop.broken.parquet").write_bytes(b"PAR1")
    quality = exported(tmp_path / "lake", tmp_path / "more").quality
    assert (quality["shop.tea"].verdict, quality["shop.tea"].rows) == ("unused", 2)
    assert [quality[name].findings[0].check for name in ("shop.empty", "shop.broken")] == ["empty_table", "unreadable"]


def test_an_unknown_market_or_folder_is_the_askers_mistake(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="tulips"):
        jobs.export({**asked(tmp_path, folder), "market": "tulips"})
    with pytest.raises(UsageError, match="no such folder"):
        jobs.export(asked(tmp_path, tmp_path / "nowhere"))


def test_a_retrain_adds_one_refit_and_changes_nothing_else(tmp_path: Path, folder: Path) -> None:
    event = exported(tmp_path, folder)
    again = [jobs.retrain({"lake": str(tmp_path), "exported": event.model_dump(mode="json"), "cause": "e1"})]
    again.append(jobs.retrain({"lake": str(tmp_path), "exported": again[0]["exported"], "cause": "e1"}))
    assert again[0] == again[1]
    repeated = DataExported.model_validate(again[0]["exported"])
    before, after = manifest_of(tmp_path, event), manifest_of(tmp_path, repeated)
    (extra,) = [refit for refit in after.refits if refit.cause != "grid"]
    assert (extra.session, extra.cause) == (before.as_of_session, "e1")
    assert after.model_copy(update={"refits": before.refits}) == before
    assert repeated.run_id == after.run_id != event.run_id
    # The refit in the plan of a fresh export is the same.
    asked_for = exported(tmp_path, folder, retrain_cause="e1")
    assert manifest_of(tmp_path, asked_for) == after
    inherited = exported(tmp_path, folder, inherited_refits=[extra.model_dump(mode="json")])
    assert manifest_of(tmp_path, inherited) == after


def test_quality_judges_without_writing(tmp_path: Path, folder: Path) -> None:
    found = jobs.quality({"warehouse": str(folder), "market": "zl", "as_of": None})
    assert (found["refused"], found["as_of"], found["simulated"]) == (None, "2025-05-16", False)
    assert len(found["tables"]) == len(DATES)
    refused = jobs.quality({"warehouse": str(folder), "market": "zl", "as_of": "1950-01-02"})
    assert refused["refused"].startswith(PRICES)
