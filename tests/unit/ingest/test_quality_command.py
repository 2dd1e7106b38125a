from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cbi_common.core.errors import DataError, UsageError
from ingest.commands import quality


def test_the_verdicts_are_a_table_on_the_terminal(folder: Path) -> None:
    result = CliRunner().invoke(quality, ["--warehouse", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "currency_data" in result.output
    assert "6,000" in result.output
    assert "ok" in result.output


def test_one_table_is_shown_in_full_and_the_simulated_market_is_marked() -> None:
    name = "forecasting_data_warehouse.cftc_cot"
    result = CliRunner().invoke(quality, [name, "--warehouse", "simulated?sessions=400"], catch_exceptions=False)
    assert result.output.startswith("SIMULATED")
    assert name in result.output
    assert "reference_date" in result.output
    assert "· date " in result.output
    assert "vix_daily" not in result.output


def test_findings_of_one_check_and_tables_of_one_verdict() -> None:
    spoilt = "simulated?sessions=400&flaws=unit_break:3"
    arguments = ["--warehouse", spoilt, "--check", "unit_break"]
    result = CliRunner().invoke(quality, [*arguments, "--verdict", "repaired"], catch_exceptions=False)
    assert "  repaired unit_break " in result.output
    assert "reference_date" not in result.output
    none = CliRunner().invoke(quality, [*arguments, "--verdict", "ok", "--json"], catch_exceptions=False)
    assert json.loads(none.output)["tables"] == {}


def test_the_same_as_json(folder: Path) -> None:
    result = CliRunner().invoke(quality, ["--warehouse", str(folder), "--json"], catch_exceptions=False)
    found = json.loads(result.output)
    assert found["refused"] is None
    assert {table["verdict"] for table in found["tables"].values()} == {"ok"}


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (["shop.tea"], UsageError, "no table 'shop.tea'"),
        (["--as-of", "yesterday"], UsageError, "yesterday"),
        (["--market", "tulips"], UsageError, "tulips"),
        (["--as-of", "1950-01-02"], DataError, "1950-01-02"),
    ],
)
def test_trouble_is_one_line(arguments: list[str], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        CliRunner().invoke(quality, ["--warehouse", "simulated?sessions=400", *arguments], catch_exceptions=False)
