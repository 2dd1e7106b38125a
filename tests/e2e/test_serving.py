"""A finished run is packed, promoted over the real bus, served as it was judged, swapped under load, rolled back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.promotion import GateReport, ModelPromoted
from cbi_common.reporting.card import Terms, model_card
from cbi_common.reporting.projection import Run
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import choose_run, on_the_bus, read_runs
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.storage.lake import Lake
from cbi_common.testing.served import served as serving_of
from dashboard.adapters.scenarios import Scenarios
from dashboard.domain.scenario import ScenarioAnswer
from promoter.adapters.local_target import LocalTarget
from promoter.domain.champion import Champion
from promoter.domain.promotion import Promotion
from promoter.packaging import store_package
from promoter.promoting import Promoting
from promoter.serving.app import create_app
from promoter.serving.newest import Newest
from promoter.serving.process import SERVING

pytestmark = pytest.mark.e2e
CBI = [str(Path(sys.executable).with_name("cbi"))]
MARKET = "simulated?sessions=1500&predictability=0.2&benchmark=1"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("promotion") / "lake")
    cbi(folder, "run", "--warehouse", MARKET, "--profile", "smoke")
    return folder


def cbi(lake: str, *words: str, code: int = 0) -> str:
    environment = {**os.environ, "CBI_TRACKING": "off"}
    done = subprocess.run([*CBI, *words, "--lake", lake], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout


def cbi_error(lake: str, *words: str, code: int) -> str:
    done = subprocess.run([*CBI, *words, "--lake", lake], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-2000:]
    return done.stderr


@pytest.fixture(scope="module")
def run(lake: str) -> Run:
    return choose_run(read_runs(lake), None)


@pytest.fixture(scope="module")
def served(lake: str, run: Run) -> Iterator[str]:
    """Address of ``cbi serve`` after the promotion of every horizon."""
    promote(lake, run, tuple(Horizon))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([*CBI, "serve", "--lake", lake, "--port", str(port)], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                get(f"{address}/health")
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)


def promote(lake: str, run: Run, horizons: tuple[Horizon, ...]) -> Champion:
    async def work(bus: Bus, settings: Settings) -> Champion:
        store = Lake(settings.lake)
        package, ref = store_package(store, run.forecast.data, run.explanation.data, set(horizons))
        wanted = Promotion(
            market="zl", simulated=True, run_id=package.run_id, package=ref, horizons=tuple(package.horizons),
            target="local", policy="relative", labels={}, shadow="left out",
        )  # fmt: skip
        reports = {h: GateReport(candidate="ensemble", policies={}) for h in package.horizons}
        card = model_card(run, wanted.horizons, Terms(wanted.version, wanted.target, wanted.policy, wanted.shadow))
        return await promoting(bus, settings).promote(wanted, reports, card)

    return on_the_bus(lake, work)


def promoting(bus: Bus, settings: Settings) -> Promoting:
    targets = {"local": LocalTarget(settings.stack_dir / SERVING)}
    return Promoting(State(bus), Lake(settings.lake), system_clock, bus.publish, targets)


def get(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, {"content-type": "application/json"})  # loopback
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def predicted(address: str, *instances: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(f"{address}/predict", {"instances": list(instances)})["predictions"]
    return found


def test_whoever_serves_has_a_card(served: str, lake: str, run: Run) -> None:
    version = json.loads(cbi(lake, "champion", "--simulated", "--json"))["now"]["version"]
    told = cbi(lake, "card", "--champion", "--simulated")
    assert f"Serves as `{version}` at target local, by policy relative." in told
    assert "> **SIMULATED.**" in told
    assert f"`{run.run_id}`" in told
    for era in {one.value for one in run.validations["walk_forward"].data.horizons[Horizon.W1] if one.by == "era"}:
        assert f"| 1w | {era} |" in told
    assert "nobody serves yet" in cbi_error(lake, "card", "--champion", code=4)


def test_what_is_served_is_what_was_forecast(served: str, run: Run) -> None:
    forecasts = run.forecast.data.forecasts
    found = predicted(served, *({"horizon": str(h)} for h in forecasts))
    assert len(found) == len(forecasts) > 0
    for one in found:
        said = forecasts[Horizon(one["horizon"])]
        for name in ("point", "lower_90", "upper_90", "current"):
            assert one[name] == pytest.approx(getattr(said, name), abs=1e-6)
        groups = run.explanation.data.explanations[Horizon(one["horizon"])].groups
        assert one["groups"] == pytest.approx(groups)
        assert one["simulated"] is True


def test_a_moved_driver_moves_the_forecast_by_what_is_said(served: str) -> None:
    plain, moved = predicted(served, {"horizon": "1w"}, {"horizon": "1w", "moves": {"cl": 0.1, "palm": -0.1}})
    assert moved["point"] - plain["point"] == pytest.approx(sum(moved["changed"].values()), abs=1e-9)
    assert any(moved["changed"].values())
    assert moved["upper_90"] / moved["point"] == pytest.approx(plain["upper_90"] / plain["point"])


def test_a_question_of_what_if_is_answered_from_the_newest_forecast(lake: str, run: Run) -> None:
    said = run.forecast.data.forecasts[Horizon.W1]
    newest = Newest(Settings(lake=lake))
    asyncio.run(newest.look())
    with serving_of(create_app(newest)) as address:
        scenarios = Scenarios(address)

        def ask(run_id: str, driver: str, move: float) -> ScenarioAnswer:
            return asyncio.run(scenarios.ask(run_id, Horizon.W1, driver, move))

        started = time.monotonic()
        found = ask(run.forecast.data.run_id, "cl", 0.1)
        assert time.monotonic() - started < 2.0
        assert (found.point, found.lower_90) == pytest.approx((said.point, said.lower_90), abs=1e-6)
        assert found.difference == pytest.approx(sum(found.changed.values()), abs=1e-9)
        assert found.difference != 0
        with pytest.raises(UsageError, match="no driver 'tea'"):
            ask(run.forecast.data.run_id, "tea", 0.1)
        with pytest.raises(InfrastructureError, match="still answers from run"):
            ask("another", "cl", 0.1)
    with pytest.raises(InfrastructureError, match="does not answer"):
        ask(run.forecast.data.run_id, "cl", 0.1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"instances": []}, "at least 1"),
        ({"instances": [{"horizon": "2w"}]}, "horizon"),
        ({"instances": [{"horizon": "1w", "moves": {"tea": 0.1}}]}, "no driver 'tea'"),
        ({"instances": [{"horizon": "1w", "moves": {"cl": -1}}]}, "cannot move"),
        ({"instances": [{"horizon": "1w", "features": {"tea": 1}}]}, "no member sees"),
        ({"instances": [{"horizon": "1w"}] * 101}, "at most 100"),
        ({"question": 1}, "instances"),
    ],
)
def test_a_bad_question_gets_one_line(served: str, body: Any, said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(f"{served}/predict", body)
    assert refused.value.code == 400
    assert said in json.load(refused.value)["detail"]


def test_versions_are_swapped_and_rolled_back_without_a_failed_request(served: str, lake: str, run: Run) -> None:
    before = get(f"{served}/health")["traffic"]
    stop = time.monotonic() + 12

    def ask(_worker: int) -> list[str]:
        seen = []
        while time.monotonic() < stop:
            seen += [one["version"] for one in predicted(served, {"horizon": "1w"})]
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, worker) for worker in range(3)]
        second = promote(lake, run, (Horizon.W1, Horizon.M1))
        time.sleep(2)
        after = on_the_bus(lake, lambda bus, s: promoting(bus, s).rollback("zl", simulated=True, reports={}))
        time.sleep(2)
        versions = [version for one in asking for version in one.result()]
    assert second.now.version not in before
    assert {*before, second.now.version} == set(versions)
    assert len(versions) > 200
    assert get(f"{served}/health")["traffic"] == before == {after.now.version: 100}


def test_the_ledger_tells_every_step(served: str, lake: str) -> None:
    told = json.loads(cbi(lake, "champion", "--history", "--simulated", "--json"))
    promoted = [event["data"] for event in told if event["type"] == ModelPromoted.subject]
    assert {data["rollback"] for data in promoted} == {False, True}
    assert len({event["id"] for event in told}) == len(told)
    assert "put back" in cbi(lake, "champion", "--history", "--simulated")


def test_the_command_says_what_would_be_done_and_refuses_what_fails_its_gates(lake: str) -> None:
    assert "nothing passes policy plan" in cbi(lake, "promote", code=4)
    assert "serves" in cbi(lake, "champion", "--simulated")
    assert "nobody serves" in cbi(lake, "champion")
