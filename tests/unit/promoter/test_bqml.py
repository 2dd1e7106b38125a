"""The statement that fills the benchmark's table: valid SQL of BigQuery, nothing but names gets into it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.runtime.cli import main
from promoter.domain.bqml import Names, statement

NAMES = Names("p.bqml.predictions", "p.models.bqml_{horizon}", "p.models.features", "target_{horizon}")
DAYS = [date(2025, 1, 2) + timedelta(days=i) for i in range(300)]


def test_every_horizon_asks_its_own_model() -> None:
    said = statement(NAMES, DAYS)
    for horizon in Horizon:
        assert f"MODEL `p.models.bqml_{horizon}`" in said
        assert f"predicted_target_{horizon} AS" in said
        assert f"{horizon.sessions} AS ahead" in said
    assert said.count("(") == said.count(")")
    assert "CURRENT_TIMESTAMP()" in said
    assert "'2025-01-02'" in said


@pytest.mark.parametrize("name", ["p.models.x`; DROP TABLE y; --", "one", "p.models.x y", ""])
def test_what_is_no_name_does_not_get_in(name: str) -> None:
    with pytest.raises(UsageError, match="no name in BigQuery"):
        statement(Names("p.bqml.predictions", name, "p.models.features", "target"), DAYS)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["benchmark", "export-sql", "--model", "p.m.b_{horizon}", "--features", "p.m.f", "--label", "target"]
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("-- Adds one row per horizon")
