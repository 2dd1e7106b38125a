"""`cbi export`: files that say what is in them, equal bytes for equal inputs, nobody's work overwritten."""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from cbi_common.core.errors import DataError, InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.markets import load_market
from cbi_common.timeseries.eras import Era, era_weights, kish_effective_size
from ingest.adapters.export_folder import MANIFEST, ExportFolder
from ingest.domain.exports import SCHEMES, era_rows, file_table, known_targets, weighted_rows
from ingest.export_command import export

MARKET = load_market("zl")
ERAS = (
    Era("old", None, date(2019, 12, 31), 1.0),
    Era("crash", date(2020, 1, 1), date(2020, 6, 30), 9.0),
    Era("new", date(2020, 7, 1), None, 3.0),
)


def stored(n: int = 300) -> pa.Table:
    days = np.arange(np.datetime64("2019-10-01"), np.datetime64("2019-10-01") + n)
    sessions = np.delete(np.arange(n), 40)
    return pa.table(
        {
            "session": pa.array(sessions),
            "date": pa.array(days[sessions]),
            "price": 50.0 + np.sin(sessions / 9),
            "x": sessions.astype(float),
            "y": -sessions.astype(float),
        }
    )


def test_a_file_holds_prices_features_and_the_outcomes_that_were_known() -> None:
    table = file_table(stored(), ["y"], [Horizon.W1, Horizon.M1])
    assert table.column_names == ["date", "session", "price", "y", "target_1w", "target_1m"]
    price = dict(zip(table["session"].to_pylist(), table["price"].to_pylist(), strict=True))
    for horizon in (Horizon.W1, Horizon.M1):
        for session, y in zip(table["session"].to_pylist(), table[f"target_{horizon}"].to_pylist(), strict=True):
            later = price.get(session + horizon.sessions)
            assert np.isnan(y) if later is None else y == pytest.approx(np.log(later / price[session]))
    counts = known_targets(table["session"].to_numpy(), table["price"].to_numpy())
    assert counts[Horizon.W1] == int((~np.isnan(table["target_1w"].to_numpy())).sum()) == 300 - 1 - 5 - 1
    assert counts[Horizon.M12] == 300 - 252 - 1


def test_an_era_keeps_its_rows_and_their_outcomes() -> None:
    whole = file_table(stored(), ["x"], [Horizon.M1])
    parts = [era_rows(whole, ERAS, [name]) for name in ("old", "crash", "new")]
    assert sum(part.num_rows for part in parts) == whole.num_rows
    for name in whole.column_names:
        together = np.concatenate([part[name].to_numpy() for part in parts])
        assert together.tobytes() == whole[name].to_numpy().tobytes(), name
    old = parts[0]
    assert (old["date"][0].as_py(), old["date"][-1].as_py()) == (date(2019, 10, 1), date(2019, 12, 31))
    assert not np.isnan(old["target_1m"][-1].as_py())
    both = era_rows(whole, ERAS, ["crash", "old"])
    assert both.num_rows == old.num_rows + parts[1].num_rows
    assert era_rows(whole, ERAS, []) is whole


def test_weights_have_mean_one_and_their_effective_size_is_kishs() -> None:
    table, sizes = weighted_rows(file_table(stored(), ["x"], [Horizon.W1]), ERAS)
    for scheme in SCHEMES:
        weights = table[f"weight_{scheme}"].to_numpy()
        assert weights.tolist() == era_weights(table["date"].to_numpy(), ERAS, scheme).tolist()
        assert weights.mean() == pytest.approx(1)
        assert sizes[scheme] == pytest.approx(kish_effective_size(weights), abs=0.05)
    assert sizes["uniform"] == table.num_rows > sizes["capped"] > 0


def run(folder: Path, tmp_path: Path, *more: str) -> Result:
    arguments = ["--warehouse", str(folder), "--lake", str(tmp_path / "lake"), "--to", str(tmp_path / "out"), *more]
    return CliRunner().invoke(export, arguments, catch_exceptions=False)


def test_the_command_writes_what_its_manifest_says(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--json")
    out = tmp_path / "out"
    told = json.loads(done.stdout)
    assert (done.exit_code, told) == (0, json.loads((out / MANIFEST).read_text(encoding="utf-8")))
    assert "historical_full.parquet: 1,500 rows" in done.stderr
    assert {path.name for path in out.iterdir()} == {MANIFEST, *told["files"]}
    assert set(told["files"]) | set(told["skipped"]) == {f"{spec.file}.parquet" for spec in MARKET.exports}
    assert told["skipped"]["historical_pre2000.parquet"].startswith("no row of full lies in historical_pre2000")
    for name, about in told["files"].items():
        table = parquet.read_table(out / name)
        assert sha256((out / name).read_bytes()).hexdigest() == about["sha256"]
        assert (table.num_rows, table.column_names) == (about["rows"], about["columns"])
        assert table.column_names[:3] == ["date", "session", "price"]
        assert table.column_names[-3:] == [f"weight_{scheme}" for scheme in SCHEMES]
        assert (table["date"][0].as_py().isoformat(), table["date"][-1].as_py().isoformat()) == (
            about["start"],
            about["end"],
        )
        for target, known in about["known_targets"].items():
            assert int((~np.isnan(table[target].to_numpy())).sum()) == known
    assert told["files"]["historical_full.parquet"]["known_targets"]["target_12m"] == 1500 - 252
    years = parquet.read_table(out / "inflation_2021_2022.parquet")["date"].to_numpy().astype("datetime64[Y]")
    assert set(years.astype(str)) == {"2021", "2022"}


def test_equal_inputs_give_equal_bytes_and_a_table_of_them(folder: Path, tmp_path: Path) -> None:
    first = run(folder, tmp_path / "a")
    second = run(folder, tmp_path / "b")
    written = [{path.name: path.read_bytes() for path in (tmp_path / x / "out").iterdir()} for x in "ab"]
    assert written[0] == written[1]
    assert first.stdout == second.stdout
    assert "Kish plan" in first.stdout
    assert "historical_pre2000.parquet not written" in " ".join(first.stdout.split())
    again = run(folder, tmp_path / "a")
    assert (again.exit_code, again.stdout) == (0, first.stdout)


def test_the_simulated_market_is_marked(tmp_path: Path) -> None:
    done = run(Path("simulated?sessions=1200&seed=5"), tmp_path)
    assert done.stdout.lstrip().startswith("SIMULATED DATA")
    assert json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))["simulated"] is True


def test_data_that_the_gate_rejects_is_not_exported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1950-01-02"):
        run(folder, tmp_path, "--as-of", "1950-01-02")
    assert not (tmp_path / "out").exists()


def test_a_market_without_files_says_so(folder: Path, tmp_path: Path) -> None:
    shipped = Path(load_market.__code__.co_filename).with_name("zl.toml").read_text(encoding="utf-8")
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "mine.toml"
    own.write_text(shipped.split("\n[[exports]]")[0].replace('id = "zl"', 'id = "mine"'), encoding="utf-8")
    with pytest.raises(UsageError, match="no exports"):
        run(folder, tmp_path, "--market", str(own))


FILES = {"a.parquet": b"one", "b.parquet": b"two"}


def manifest(files: dict[str, bytes]) -> bytes:
    about = {name: {"sha256": sha256(data).hexdigest()} for name, data in files.items()}
    return json.dumps({"made_by": "cbi export", "files": about}).encode()


def write(folder: Path, files: dict[str, bytes], *, force: bool = False) -> None:
    ExportFolder(folder, force=force).write(files, manifest(files))


def test_own_files_are_replaced_and_removed_when_they_are_no_longer_made(tmp_path: Path) -> None:
    write(tmp_path / "out", FILES)
    write(tmp_path / "out", {"a.parquet": b"new"})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.parquet", MANIFEST}
    assert (tmp_path / "out" / "a.parquet").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["a.parquet", "b.parquet", MANIFEST])
def test_somebody_elses_file_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(UsageError, match=f"{name}: was not written by"):
        write(tmp_path, FILES)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    write(tmp_path, FILES, force=True)
    assert (tmp_path / "a.parquet").read_bytes() == b"one"


def test_a_file_that_was_edited_since_is_no_longer_ours(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "b.parquet").write_bytes(b"edited")
    with pytest.raises(UsageError, match="changed since"):
        write(tmp_path, {"a.parquet": b"new", "b.parquet": b"new"})
    assert (tmp_path / "a.parquet").read_bytes() == b"one"
    # What is no longer made is removed only as long as it is ours.
    write(tmp_path, {"a.parquet": b"new"})
    assert (tmp_path / "b.parquet").read_bytes() == b"edited"


def test_an_export_that_was_cut_short_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES)
    honest = ExportFolder._write

    def dies(self: ExportFolder, name: str, data: bytes) -> None:
        if name == "b.parquet":
            raise OSError(28, "No space left on device")
        honest(self, name, data)

    monkeypatch.setattr(ExportFolder, "_write", dies)
    new = {"a.parquet": b"1", "b.parquet": b"2"}
    with pytest.raises(InfrastructureError, match="No space left"):
        write(tmp_path, new)
    assert not list(tmp_path.glob(".*"))
    monkeypatch.undo()
    write(tmp_path, new)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")} == new


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "keep").write_bytes(b"x")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MANIFEST).write_bytes(manifest({"../keep": b"x"}))
    write(folder, FILES)
    assert (tmp_path / "keep").read_bytes() == b"x"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(UsageError, match="is no folder"):
        write(tmp_path / "out", FILES)
