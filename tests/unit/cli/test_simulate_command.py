import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.markets.flaws import FLAWS
from cbi_common.markets.simulation.faults import FAULTS
from cbi_common.runtime.cli import main
from cbi_common.storage.warehouse import open_warehouse


def test_a_market_and_its_truth_are_written_where_they_were_asked_for(tmp_path: Path, capsys) -> None:
    market, truth = tmp_path / "market", tmp_path / "truth.parquet"
    line = ["simulate", "--to", str(market), "--truth", str(truth), "--sessions", "320", "--seed", "3"]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "SIMULATED DATA" in said
    assert "production_training_data_1m" in said
    assert f"the truth of 320 days lies in {truth}" in said
    warehouse = open_warehouse(str(market))
    assert warehouse.simulated
    assert warehouse.read("forecasting_data_warehouse.vix_daily").num_rows == 320
    known = pq.read_table(truth)
    assert known.num_rows == 320
    assert {f"oracle_{horizon}" for horizon in Horizon} <= set(known.column_names)
    assert {"prices_crisis", "vix_normal", "regime"} <= set(known.column_names)
    assert sorted(path.name for path in market.iterdir()) == sorted(f"{name}.parquet" for name in warehouse.tables())


def test_without_asking_there_is_no_truth(tmp_path: Path, capsys) -> None:
    line = ["simulate", "--to", str(tmp_path / "market"), "--sessions", "300", "--flaws", "duplicate_row:1", "--json"]
    assert main(line) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["simulated"] is True
    assert said["truth"] is None
    rows = {table["name"]: table["rows"] for table in said["tables"]}
    assert rows["forecasting_data_warehouse.vix_daily"] == 303
    assert [path.name for path in tmp_path.iterdir()] == ["market"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing option '--to'"),
        (["--to", "{}", "--sessions", "12"], "12 sessions; ask for 300 to 31500"),
        (["--to", "{}", "--drift-at", "2050-01-03"], "drift_at 2050-01-03"),
        (["--to", "{}", "--flaws", "rust"], "no flaw 'rust'"),
        (["--to", "{}", "--truth", "{}/truth.parquet"], "inside the warehouse folder"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, capsys, words: list[str], says: str
) -> None:
    folder = tmp_path / "market"
    with pytest.raises(SystemExit) as left:
        main(["simulate", *(word.format(folder) for word in words)])
    assert left.value.code == 2
    assert says in capsys.readouterr().err
    assert not folder.exists()


def test_flaws_are_listed(capsys) -> None:
    assert main(["simulate", "--list-flaws", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == FLAWS.keys()
    assert main(["simulate", "--list-flaws"]) == 0
    assert "weekend_row" in capsys.readouterr().out


def test_faults_are_listed_and_one_is_put_in(tmp_path, capsys) -> None:
    assert main(["simulate", "--list-faults", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == FAULTS
    assert main(["simulate", "--list-faults"]) == 0
    assert "frozen_feed" in capsys.readouterr().out
    line = ["simulate", "--to", str(tmp_path / "market"), "--sessions", "400", "--json"]
    assert main([*line, "--faults", "frozen_feed:2025-03-03"]) == 0
    assert "frozen_feed" in json.loads(capsys.readouterr().out)["market"]


def test_a_fault_that_is_none_is_one_line(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["simulate", "--to", str(tmp_path / "market"), "--faults", "quake:2025-03-03"])
    assert left.value.code == 2
    assert "quake" in capsys.readouterr().err
