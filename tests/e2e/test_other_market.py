"""Another market is another file: crude oil on the real series inside the arch package, from a file of one's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from cbi_common.core.horizon import Horizon

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Cbi = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def passed(cbi: Cbi, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Terminal output and report of a smoke run over `barrel`, which nobody but the user knows."""
    home = tmp_path_factory.mktemp("barrel")
    text = files("cbi_common.markets").joinpath("wti.toml").read_text(encoding="utf-8")
    own = text.replace('id = "wti"', 'id = "barrel"').replace('unit = "$/bbl"', 'unit = "US$/barrel"')
    (home / "barrel.toml").write_text(own, encoding="utf-8")
    report = home / "report.json"
    result = cbi(
        *("run", "--market", str(home / "barrel.toml"), "--warehouse", "arch", "--profile", "smoke"),
        *("--lake", str(home / "lake"), "--json", str(report)),
        CBI_TRACKING="off",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads(report.read_text())


def test_every_horizon_has_a_forecast_of_real_prices(passed: tuple[str, dict[str, Any]]) -> None:
    _, report = passed
    assert (report["market"], report["warehouse"], report["simulated"]) == ("barrel", "arch", False)
    assert report["as_of"] == "2019-01-03"
    assert list(report["forecasts"]) == [str(h) for h in Horizon]
    for forecast in report["forecasts"].values():
        assert 0 < forecast["lower_90"] < forecast["point"] < forecast["upper_90"]
        assert forecast["current"] == 46.92


def test_everything_is_said_in_the_unit_of_the_file(passed: tuple[str, dict[str, Any]]) -> None:
    shown, report = passed
    assert report["unit"] == "US$/barrel"
    assert "Forecast in US$/barrel · BARREL" in shown
    assert "¢" not in shown


def test_no_driver_is_made_up(passed: tuple[str, dict[str, Any]]) -> None:
    _, report = passed
    groups = {group for reason in report["explanations"].values() for group in reason["groups"]}
    assert groups <= {"technical", "volatility", "equities", "seasonal", "expectation", "price_history"}
    assert report["quality"]["tables"]["arch.wti"]["verdict"] == "repaired"
    assert report["regime"]["nowcast_accuracy"] > 0.9
