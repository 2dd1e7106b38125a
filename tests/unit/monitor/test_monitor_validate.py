import asyncio

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.events.monitoring import ModelSlices
from cbi_common.markets.files import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.story import detected, unscored
from cbi_common.timeseries.calendar import session_date
from cbi_common.training.predictions import Predictions
from monitor import jobs
from monitor.handlers import Handlers

FIRST, LAST = 4000, 5100
SESSIONS = np.arange(FIRST, LAST + 1)
DATES = np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]")
PRICE = 50 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.012, len(SESSIONS))))

PALM = 900 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, len(SESSIONS))))


def forecast_as_of(lake: Lake, as_of: int, *, point: float = 55.0, simulated: bool = True) -> ForecastReady:
    known = as_of >= SESSIONS
    panel = put_table(
        lake,
        f"panel/{as_of}",
        pa.table({"session": SESSIONS[known], "date": DATES[known], "price": PRICE[known], "palm": PALM[known]}),
    )
    manifest = RunManifest(
        market="zl",
        as_of=session_date(as_of),
        as_of_session=as_of,
        profile="smoke",
        simulated=simulated,
        datasets={"panel": panel},
        refits=(),
        cutoff_every=5,
        windows={Horizon.W1: ScoredWindow(burn_in_start=4200, start=4500, end=(as_of - 5) // 5 * 5)},
        members=(),
        catalogue_sha256="0" * 64,
    )
    return ForecastReady(
        market="zl",
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        simulated=simulated,
        provisional=False,
        manifest=lake.put_json(f"manifest/{as_of}", manifest.model_dump(mode="json")),
        forecasts={Horizon.W1: horizon_forecast(as_of, point)},
        served=put_table(lake, f"served/{as_of}", served(as_of)),
        members=lake.put_json(f"members/{as_of}", members(lake, as_of).model_dump(mode="json")),
    )


def served(as_of: int) -> pa.Table:
    rows = np.flatnonzero((SESSIONS >= 4200) & (SESSIONS % 5 == 0) & (as_of >= SESSIONS))
    later = np.minimum(rows + 5, len(PRICE) - 1)
    y = np.where(SESSIONS[rows] + 5 <= as_of, np.log(PRICE[later] / PRICE[rows]), np.nan)
    return pa.table(
        {
            "horizon": ["1w"] * len(rows),
            "session": SESSIONS[rows],
            "cutoff": DATES[rows],
            "target_session": SESSIONS[rows] + 5,
            "price": PRICE[rows],
            "y_hat": 0.5 * np.nan_to_num(y),
            "y": y,
            "lower": PRICE[rows] * 0.95,
            "upper": PRICE[rows] * 1.05,
        }
    )


def members(lake: Lake, as_of: int) -> LiveMembers:
    states = ["crisis" if s < 4700 else "normal" for s in SESSIONS]
    history = put_table(lake, "regime/h", pa.table({"session": SESSIONS, "state": states}))
    regime = detected().model_copy(update={"history": history})
    return LiveMembers(horizons={Horizon.W1: {"mirror": mirror(lake)}}, regime=regime)


def mirror(lake: Lake) -> LiveMember:
    """A model that forecasts the opposite of what happens, every second week."""
    cutoffs = np.arange(4500, 4900, 10)
    y = np.log(PRICE[cutoffs + 5 - FIRST] / PRICE[cutoffs - FIRST])
    price = PRICE[cutoffs - FIRST]
    said = Predictions("mirror", Horizon.W1, DATES[cutoffs - FIRST], cutoffs, cutoffs, price, -y, y)
    return LiveMember(
        weight=0.0,
        y_hat=0.0,
        family="trees",
        learner="ridge",
        dataset="full",
        predictions=said.put(lake, "trained/mirror"),
        artifact=None,
        metrics=unscored(),
    )


def horizon_forecast(as_of: int, point: float) -> HorizonForecast:
    current = float(PRICE[as_of - FIRST])
    return HorizonForecast(
        target_date=session_date(as_of + 5),
        target_session=as_of + 5,
        point=point,
        lower_90=current * 0.9,
        upper_90=current * 1.1,
        quantiles={},
        current=current,
        no_change=current,
        signal="MONITOR",
        probability_up=0.5,
        regime=Regime.NORMAL,
        volatility=0.03,
        combiner="inverse_error",
        members={"no_change": 1.0},
        metrics=unscored(),
        coverage_90=None,
        winkler_90=None,
        worst_year_coverage=None,
        coverage_90_last60=None,
    )


@pytest.fixture
def kit(tmp_path):
    return make_kit(tmp_path, jobs={"monitor.jobs:validate": jobs.validate})


def handled(kit, forecast):
    answers = asyncio.run(Handlers(kit).validate(envelope(forecast)))
    assert [a.discriminator for a in answers] == [a.data.source for a in answers]
    return {a.discriminator: a.data for a in answers}


def test_walk_forward_by_regime_era_and_move(kit):
    found = handled(kit, forecast_as_of(kit.lake, 5000))
    assert set(found) == {"walk_forward"}
    slices = found["walk_forward"].horizons[Horizon.W1]
    by = {kind: [s for s in slices if s.by == kind] for kind in ("all", "regime", "era", "move")}
    n = (4995 - 4500) // 5 + 1
    assert by["all"][0].metrics.n == n
    assert by["all"][0].metrics.skill == pytest.approx(0.5, abs=0.01)
    assert by["all"][0].metrics.mase is not None
    assert [(s.value, s.metrics.n) for s in by["regime"]] == [("crisis", 40), ("normal", n - 40)]
    assert {s.value for s in by["era"]} <= {e.name for e in load_market("zl").eras}
    for kind in ("regime", "era", "move"):
        assert sum(s.metrics.n for s in by[kind]) == n


def test_issued_forecasts_are_scored_once_they_mature(kit):
    assert set(handled(kit, forecast_as_of(kit.lake, 5000, point=52.0))) == {"walk_forward"}
    assert set(handled(kit, forecast_as_of(kit.lake, 5003))) == {"walk_forward"}
    found = handled(kit, forecast_as_of(kit.lake, 5006))
    issued = found["issued"].horizons[Horizon.W1][0]
    assert (issued.by, issued.metrics.n) == ("all", 1)
    assert found["issued"].models is None
    found = handled(kit, forecast_as_of(kit.lake, 5010))
    issued, *parts = found["issued"].horizons[Horizon.W1]
    assert issued.metrics.n == 2
    assert {kind: sum(p.metrics.n for p in parts if p.by == kind) for kind in ("regime", "era", "move")} == {
        "regime": 2,
        "era": 2,
        "move": 2,
    }
    errors = [abs(point - PRICE[s + 5 - FIRST]) / PRICE[s + 5 - FIRST] for s, point in ((5000, 52.0), (5003, 55.0))]
    assert issued.metrics.mape == pytest.approx(np.mean(errors))


def test_the_first_issue_of_a_date_counts(kit):
    handled(kit, forecast_as_of(kit.lake, 5000, point=52.0))
    handled(kit, forecast_as_of(kit.lake, 5000, point=99.0))
    found = handled(kit, forecast_as_of(kit.lake, 5010))
    outcome = PRICE[5005 - FIRST]
    issue = kit.workers.calls[-1][1]["issues"]
    assert [i["forecasts"]["1w"]["point"] for i in issue] == [52.0]
    assert found["issued"].horizons[Horizon.W1][0].coverage_90 == float(abs(outcome / PRICE[5000 - FIRST] - 1) <= 0.1)


def test_simulated_and_real_issues_are_kept_apart(kit):
    handled(kit, forecast_as_of(kit.lake, 5000, simulated=True))
    assert set(handled(kit, forecast_as_of(kit.lake, 5010, simulated=False))) == {"walk_forward"}


def test_later_issues_do_not_reach_an_earlier_as_of(kit):
    handled(kit, forecast_as_of(kit.lake, 5010))
    handled(kit, forecast_as_of(kit.lake, 5000))
    assert kit.workers.calls[-1][1]["issues"] == []


def test_same_event_again_is_no_work(kit):
    forecast = forecast_as_of(kit.lake, 5000)
    assert handled(kit, forecast) == handled(kit, forecast)
    assert len(kit.workers.calls) == 1


def test_a_provisional_forecast_is_issued_but_not_validated(kit):
    provisional = forecast_as_of(kit.lake, 5000).model_copy(update={"provisional": True})
    assert handled(kit, provisional) == {}
    assert len(kit.state.entries) == 1


def test_scores_by_what_had_moved_before(kit):
    slices = handled(kit, forecast_as_of(kit.lake, 5000))["walk_forward"].horizons[Horizon.W1]
    movers = {s.value: s.metrics.n for s in slices if s.by == "driver"}
    assert set(movers) == {"palm", "none"}
    assert sum(movers.values()) == slices[0].metrics.n


def test_every_model_is_scored_on_the_cutoffs_it_shares_with_what_was_served(kit):
    event = handled(kit, forecast_as_of(kit.lake, 5000))["walk_forward"]
    found = ModelSlices.model_validate(kit.lake.get_json(event.models))
    whole, *parts = found.horizons[Horizon.W1]["mirror"]
    assert whole.metrics.n == 40
    assert whole.metrics.skill == pytest.approx(-1.0, abs=0.05)
    assert whole.coverage_90 is None
    assert [(p.by, p.value, p.metrics.n) for p in parts] == [("regime", "crisis", 20), ("regime", "normal", 20)]
