"""The datasets of an export: wide tables beside the features, each made once, none of them knowing the future."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import DatasetManifest, RunManifest
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.testing.folders import rewrite
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.eras import era_weights, kish_effective_size
from ingest import datasets, jobs

MARKET = load_market("zl")
PRICE = MARKET.by_name[MARKET.price]
SPEC = next(spec for spec in MARKET.datasets if spec.name == "production_12m")
NAMES = {spec.name for spec in MARKET.datasets}
ROWS = 400


def wide_table(folder: Path) -> pa.Table:
    """The last 400 days of the folder's prices with honest, useless and dishonest columns."""
    prices = parquet.read_table(folder / f"{PRICE.table}.parquet")
    day, price = prices[PRICE.date].to_numpy(), prices[PRICE.value].to_numpy()
    rng, n = np.random.default_rng(6), len(price)
    later = np.append(price[252:], np.full(252, price[-1]))
    columns = {
        "x": rng.normal(size=n),
        "x_again": np.zeros(n),
        "cftc_net": rng.normal(size=n),
        "rsi": np.full(n, 50.0),
        "innocent": np.append(price[30:], np.full(30, np.nan)),
        "target_1m": np.append(price[21:], np.full(21, np.nan)),
        "target_12m": later / price - 1,
    }
    columns["x_again"] = columns["x"].copy()
    table = pa.table({"date": pa.array(day.astype("datetime64[D]")), **columns, "word": pa.array(["a"] * n)})
    return table.slice(n - ROWS)


@pytest.fixture(scope="module")
def warehouse(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated folder with one wide table and no other."""
    copy = tmp_path_factory.mktemp("wide")
    rewrite(folder, copy, lambda _, table: table)
    for spec in MARKET.datasets:
        (copy / f"{spec.table}.parquet").unlink(missing_ok=True)
    parquet.write_table(wide_table(folder), copy / f"{SPEC.table}.parquet")
    return copy


def changed(warehouse: Path, copy: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    rewrite(warehouse, copy, lambda name, table: change(table) if name == SPEC.table else table)
    return copy


def export(lake: Path, warehouse: Path, **more: Any) -> DataExported:
    argument = {"lake": str(lake), "warehouse": str(warehouse), "market": "zl", "profile": "smoke", **more}
    return DataExported.model_validate(jobs.export(argument)["exported"])


def about(lake: Path, event: DataExported, name: str = SPEC.name) -> DatasetManifest:
    ref = event.datasets[name].manifest
    assert ref is not None
    return DatasetManifest.model_validate(Lake(str(lake)).get_json(ref))


def table_of(lake: Path, event: DataExported, name: str = SPEC.name) -> pa.Table:
    return get_table(Lake(str(lake)), event.datasets[name].ref)


def test_a_wide_table_is_a_dataset_with_a_manifest(tmp_path: Path, warehouse: Path) -> None:
    event = export(tmp_path, warehouse)
    dataset, manifest = event.datasets[SPEC.name], about(tmp_path, event)
    table = table_of(tmp_path, event)
    assert table.column_names == ["session", "date", "price", "cftc_net", "rsi", "x", "x_again"]
    assert manifest.usable_columns == ("cftc_net", "x")
    assert (dataset.rows, dataset.columns, dataset.source) == (ROWS, 2, SPEC.table) == (table.num_rows, 2, SPEC.table)
    assert (manifest.sha256, manifest.rows, manifest.start, manifest.end) == (
        dataset.sha256,
        ROWS,
        dataset.start,
        event.as_of,
    )
    reasons = {name: reason.split(":")[0] for name, reason in dataset.dropped_columns.items()}
    assert reasons == {
        "innocent": "other_target",
        "rsi": "constant",
        "target_12m": "other_target",
        "target_1m": "other_target",
        "word": "wrong_type",
        "x_again": "identical_columns",
    }
    dates = table["date"].to_numpy()
    for scheme, size in dataset.effective_rows.items():
        expected = kish_effective_size(era_weights(dates, MARKET.eras, scheme))  # type: ignore[arg-type]
        assert size == pytest.approx(expected, abs=0.05)
    full = table_of(tmp_path, event, "full")
    assert table["price"].equals(full["price"].slice(full.num_rows - ROWS))


def test_the_tables_own_targets_are_compared_and_never_used(tmp_path: Path, warehouse: Path) -> None:
    own = {target.horizon: target for target in about(tmp_path, export(tmp_path, warehouse)).own_targets}
    assert set(own) == {Horizon.M1, Horizon.M12}
    assert (own[Horizon.M1].compared, own[Horizon.M1].share_equal, own[Horizon.M1].frozen_tail) == (ROWS - 21, 1.0, 0)
    year = own[Horizon.M12]
    assert (year.unit, year.compared, year.share_equal) == ("return", ROWS - 252, 1.0)
    assert year.filled_before_outcome == 252


def test_a_positions_report_is_known_five_sessions_later(tmp_path: Path, warehouse: Path) -> None:
    table = table_of(tmp_path, export(tmp_path, warehouse))
    raw = parquet.read_table(warehouse / f"{SPEC.table}.parquet")["cftc_net"].to_numpy()
    known = table["cftc_net"].to_numpy()
    assert np.isnan(known[:6]).all()
    assert known[6:].tolist() == raw[1:-5].tolist()


def test_manifests_say_from_when_on_a_column_may_be_used(tmp_path: Path, warehouse: Path) -> None:
    event = export(tmp_path, warehouse)
    assert event.manifest is not None
    run = RunManifest.model_validate(Lake(str(tmp_path)).get_json(event.manifest))
    assert set(run.usable_from) == {"full"} == set(run.datasets) - {"panel"}
    sessions = table_of(tmp_path, event)["session"].to_numpy()
    assert all(start > sessions[0] - 1500 for start in run.usable_from["full"].values())
    # The first value opens a run, 126 more must be known.
    wide = about(tmp_path, event).usable_from
    assert wide == {"x": session_date(int(sessions[126])), "cftc_net": session_date(int(sessions[131]))}


def test_the_manifest_of_a_run_names_only_what_its_models_learn_from(tmp_path: Path, warehouse: Path) -> None:
    every, used = (export(tmp_path, warehouse, scope=scope) for scope in ("all", "used"))
    assert every.run_id == used.run_id
    assert SPEC.name in every.datasets
    assert set(used.datasets) == {"panel", "full"}


def test_a_table_that_is_missing_or_empty_is_absent_and_stops_nobody(tmp_path: Path, warehouse: Path) -> None:
    event = export(tmp_path / "a", warehouse)
    assert event.absent.keys() == (NAMES - {SPEC.name}) | {"news", "benchmark"}
    assert {reason for name, reason in event.absent.items() if name not in ("news", "benchmark")} == {
        f"missing_table: the warehouse has no table {spec.table}"
        for spec in MARKET.datasets
        if spec.name in event.absent
    }
    empty = export(tmp_path / "b", changed(warehouse, tmp_path / "empty", lambda table: table.slice(0, 0)))
    assert empty.absent[SPEC.name].startswith("empty_table")
    nameless = export(tmp_path / "c", changed(warehouse, tmp_path / "n", lambda table: table.drop_columns(["date"])))
    assert nameless.absent[SPEC.name] == "unreadable: no column 'date'"


def test_only_the_datasets_that_were_asked_for_are_made(tmp_path: Path, warehouse: Path) -> None:
    event = export(tmp_path, warehouse, datasets=["trump_rich"])
    assert set(event.datasets) == {"panel", "full"}
    assert event.absent.keys() == {"trump_rich", "news", "benchmark"}
    with pytest.raises(UsageError, match="no dataset 'tulips'"):
        export(tmp_path, warehouse, datasets=["tulips"])


@pytest.mark.parametrize("how", ["noise", "delete"])
def test_what_comes_later_changes_nothing_before_it(tmp_path: Path, warehouse: Path, how: str) -> None:
    whole = export(tmp_path / "a", warehouse)
    table = table_of(tmp_path / "a", whole)
    cut = table["date"][250].as_py()
    rng = np.random.default_rng(3)

    def spoil(raw: pa.Table) -> pa.Table:
        later = raw["date"].to_numpy() > np.datetime64(cut)
        if how == "delete":
            return raw.filter(pa.array(~later))
        for name in ("x", "x_again", "cftc_net"):
            values = np.where(later, rng.normal(size=len(later)), raw[name].to_numpy())
            raw = raw.set_column(raw.schema.get_field_index(name), name, pa.array(values))
        return raw

    other = export(tmp_path / "b", changed(warehouse, tmp_path / "spoilt", spoil))
    spoilt = table_of(tmp_path / "b", other)
    for name in table.column_names:
        assert table[name].to_numpy()[:251].tobytes() == spoilt[name].to_numpy()[:251].tobytes(), name
    assert not table.equals(spoilt)
    starts = [about(lake, event).usable_from for lake, event in ((tmp_path / "a", whole), (tmp_path / "b", other))]
    early = [{name: day for name, day in found.items() if day <= cut} for found in starts]
    assert early[0] == early[1] != {}


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    calls: list[Any] = []
    honest = getattr(datasets, name)
    monkeypatch.setattr(datasets, name, lambda *args: calls.append(args) or honest(*args))
    return calls


def test_another_profile_reads_no_wide_table_again(
    tmp_path: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = export(tmp_path, warehouse)
    calls = counted(monkeypatch, "read_wide")
    second = export(tmp_path, warehouse, profile="quick")
    assert calls == []
    assert second.run_id != first.run_id
    assert second.datasets == first.datasets


def test_another_source_table_leaves_the_wide_dataset_and_another_wide_table_the_features(
    tmp_path: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = export(tmp_path, warehouse)

    def shifted(name: str, table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("close")
        return table.set_column(at, "close", pa.array(table["close"].to_numpy() + 1)) if "vix" in name else table

    rewrite(warehouse, tmp_path / "vix", shifted)
    calls = counted(monkeypatch, "read_wide")
    other = export(tmp_path, tmp_path / "vix")
    assert calls == []
    assert other.datasets[SPEC.name] == first.datasets[SPEC.name]
    assert other.datasets["full"].sha256 != first.datasets["full"].sha256
    third = export(tmp_path, changed(warehouse, tmp_path / "x", lambda table: table.drop_columns(["x"])))
    assert len(calls) == 1
    assert third.datasets["full"] == first.datasets["full"]
    assert third.datasets[SPEC.name].sha256 != first.datasets[SPEC.name].sha256


@pytest.mark.parametrize("what", ["ref", "manifest"])
def test_what_was_damaged_is_made_again(tmp_path: Path, warehouse: Path, what: str) -> None:
    first = export(tmp_path, warehouse)
    ref: LakeRef = getattr(first.datasets[SPEC.name], what)
    (tmp_path / "cas" / ref.sha256[:2] / ref.sha256).write_bytes(b"damage")
    assert export(tmp_path, warehouse) == first
    assert Lake(str(tmp_path)).get(ref)


def test_a_day_less_is_the_same_without_its_last_row(tmp_path: Path, warehouse: Path) -> None:
    whole = export(tmp_path, warehouse)
    assert whole.as_of is not None
    day = session_date(session_number(whole.as_of) - 1)
    before = table_of(tmp_path, export(tmp_path, warehouse, as_of=day.isoformat()))
    table = table_of(tmp_path, whole)
    assert before.num_rows == ROWS - 1
    for name in table.column_names:
        assert before[name].to_numpy().tobytes() == table[name].to_numpy()[:-1].tobytes(), name
