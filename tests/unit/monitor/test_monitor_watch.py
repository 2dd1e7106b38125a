"""The monitor's handlers: alerts once when something begins and once when it is over, one retrain for a drift."""

import asyncio
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import ContractError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.data import DataExported, DataRejected, DataRequested, Finding, TableQuality
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMembers
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.events.regime import RegimeDetected
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.story import unscored
from cbi_common.timeseries.calendar import session_date
from monitor import watching
from monitor.watch_handlers import WatchHandlers

VIX = "forecasting_data_warehouse.vix_daily"
FIRST, BREAK, LAST = 3000, 4900, 5200
SESSIONS = np.arange(FIRST, LAST + 1)
DATES = np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]")
RNG = np.random.default_rng(4)
PRICE = 50 * np.exp(np.cumsum(RNG.normal(0, 0.015, len(SESSIONS))))
HEATING = 3 * np.exp(np.cumsum(RNG.normal(0, 0.02, len(SESSIONS))))


def manifest_of(lake: Lake, as_of: int, *, frozen_from: int | None = None) -> RunManifest:
    known = as_of >= SESSIONS
    heating = HEATING.copy()
    if frozen_from is not None:
        heating[frozen_from - FIRST :] = heating[frozen_from - FIRST - 1]
    index = {"session": SESSIONS[known], "date": DATES[known], "price": PRICE[known]}
    panel = put_table(lake, f"panel/{as_of}", pa.table({**index, "zl": PRICE[known], "ho": heating[known]}))
    full = put_table(
        lake, f"full/{as_of}", pa.table({**index, "zl_return_1": np.diff(np.log(PRICE), prepend=0)[known]})
    )
    return RunManifest(
        market="zl",
        as_of=session_date(as_of),
        as_of_session=as_of,
        profile="smoke",
        simulated=True,
        datasets={"panel": panel, "full": full},
        refits=(),
        cutoff_every=5,
        windows={Horizon.W1: ScoredWindow(burn_in_start=3800, start=4000, end=(as_of - 5) // 5 * 5)},
        members=(),
        catalogue_sha256="0" * 64,
    )


def exported(kit, as_of: int, *, frozen_from: int | None = None, newest: int | None = None) -> DataExported:
    manifest = manifest_of(kit.lake, as_of, frozen_from=frozen_from)
    return DataExported(
        market="zl",
        as_of=manifest.as_of,
        profile="smoke",
        run_id=manifest.run_id,
        manifest=kit.lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json")),
        simulated=True,
        quality={VIX: TableQuality(rows=9, verdict="ok", newest=session_date(newest or as_of))},
    )


def forecast(kit, as_of: int, *, breaks: int = BREAK, provisional: bool = False) -> ForecastReady:
    manifest = manifest_of(kit.lake, as_of)
    rows = np.flatnonzero((SESSIONS >= 3800) & (SESSIONS % 5 == 0) & (as_of >= SESSIONS))
    later = np.minimum(rows + 5, len(PRICE) - 1)
    y = np.where(SESSIONS[rows] + 5 <= as_of, np.log(PRICE[later] / PRICE[rows]), np.nan)
    y_hat = np.where(SESSIONS[rows] < breaks, 0.3, -1.0) * np.nan_to_num(y)
    columns = {"session": SESSIONS[rows], "cutoff": DATES[rows], "target_session": SESSIONS[rows] + 5}
    numbers = {"price": PRICE[rows], "y_hat": y_hat, "y": y, "lower": PRICE[rows] * 0.95, "upper": PRICE[rows] * 1.05}
    return ForecastReady(
        market="zl",
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        simulated=True,
        provisional=provisional,
        manifest=kit.lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json")),
        forecasts={Horizon.W1: one_week(as_of)},
        served=put_table(kit.lake, f"served/{as_of}", pa.table({"horizon": ["1w"] * len(rows), **columns, **numbers})),
        members=kit.lake.put_json("members/m", members(kit.lake).model_dump(mode="json")),
    )


def members(lake: Lake) -> LiveMembers:
    history = put_table(lake, "regime/h", pa.table({"session": SESSIONS, "state": ["normal"] * len(SESSIONS)}))
    numbers = dict.fromkeys(("previous_state", "nowcast_accuracy", "balanced_accuracy"))
    regime = RegimeDetected(
        market="zl", run_id="r", as_of=date(2020, 1, 2), state=Regime.NORMAL, n=0, history=history,
        probabilities=dict.fromkeys(Regime, 0.25), forward_accuracy={}, persistence_accuracy={}, **numbers,
    )  # fmt: skip
    return LiveMembers(horizons={Horizon.W1: {}}, regime=regime)


def one_week(as_of: int) -> HorizonForecast:
    price = float(PRICE[as_of - FIRST])
    nothing = dict.fromkeys(("coverage_90", "winkler_90", "worst_year_coverage", "coverage_90_last60"))
    return HorizonForecast(
        target_date=session_date(as_of + 5), target_session=as_of + 5, point=price, lower_90=price * 0.9,
        upper_90=price * 1.1, quantiles={}, current=price, no_change=price, signal="MONITOR", probability_up=0.5,
        regime=Regime.NORMAL, volatility=0.03, combiner="mean", members={"no_change": 1.0}, metrics=unscored(),
        **nothing,
    )  # fmt: skip


@pytest.fixture
def kit(tmp_path):
    jobs = {
        "monitor.watching:look_at_data": watching.look_at_data,
        "monitor.watching:look_at_errors": watching.look_at_errors,
    }
    return make_kit(tmp_path, jobs=jobs)


def handle(kit, handler: str, data, *, event_id: str = "", now: datetime = datetime(2024, 6, 3, 12, tzinfo=UTC)):
    event = envelope(data, event_id=event_id, now=now)
    return event, list(asyncio.run(getattr(WatchHandlers(kit), handler)(event)))


def said(answers, kind):
    return [answer.data for answer in answers if isinstance(answer.data, kind)]


def test_data_without_a_flaw_say_nothing(kit) -> None:
    assert handle(kit, "watch", exported(kit, 5000))[1] == []
    assert handle(kit, "detect", forecast(kit, 4890))[1] == []


def test_a_frozen_feed_and_an_old_table_are_told_once_and_so_is_their_end(kit) -> None:
    handle(kit, "watch", exported(kit, 5000))
    _, first = handle(kit, "watch", exported(kit, 5010, frozen_from=5002, newest=5000))
    begun = {alert.condition: alert for alert in said(first, AlertRaised)}
    assert set(begun) == {"frozen/ho", f"stale/{VIX}"}
    assert begun["frozen/ho"].since == session_date(5004)
    assert all(a.hint and a.where and a.what and a.severity == "warning" and not a.resolved for a in begun.values())
    assert handle(kit, "watch", exported(kit, 5011, frozen_from=5002, newest=5000))[1] == []
    _, last = handle(kit, "watch", exported(kit, 5012))
    assert {a.condition for a in said(last, AlertRaised) if a.resolved} == set(begun)
    assert not said(last, DriftDetected)


def test_series_of_an_old_table_are_not_called_frozen_beside(kit) -> None:
    table = "yahoo_finance_comprehensive.biofuel_components_canonical"
    data = exported(kit, 5010, frozen_from=5002)
    old = data.model_copy(update={"quality": {table: TableQuality(rows=9, verdict="ok", newest=session_date(5001))}})
    assert [a.condition for a in said(handle(kit, "watch", old)[1], AlertRaised)] == [f"stale/{table}"]


def test_equal_events_give_equal_answers_and_older_days_none(kit) -> None:
    data = exported(kit, 5010, frozen_from=5002)
    event, first = handle(kit, "watch", data)
    _, again = handle(kit, "watch", data, event_id=event.id)
    assert first == again != []
    assert len(kit.workers.calls) == 1
    handle(kit, "watch", exported(kit, 5020))
    assert handle(kit, "watch", exported(kit, 5010, frozen_from=5002), event_id="late")[1] == []
    assert handle(kit, "watch", data, event_id=event.id)[1] == first


def test_a_bare_export_and_a_provisional_forecast_are_not_looked_at(kit) -> None:
    assert handle(kit, "watch", DataExported(market="zl"))[1] == []
    assert handle(kit, "detect", forecast(kit, 5100, provisional=True))[1] == []
    assert kit.workers.calls == []


def test_errors_that_have_grown_are_a_drift_and_an_alert_once(kit) -> None:
    assert handle(kit, "detect", forecast(kit, BREAK))[1] == []
    _, found = handle(kit, "detect", forecast(kit, BREAK + 65))
    (drift,) = said(found, DriftDetected)
    assert (drift.kind, drift.action, drift.horizon) == ("performance", "retrain", Horizon.W1)
    assert drift.evidence["condition"] == "performance/1w"
    assert {a.condition for a in said(found, AlertRaised)} == {"performance/1w"}
    assert not said(handle(kit, "detect", forecast(kit, BREAK + 70))[1], DriftDetected)


def drift(kit, as_of: int = BREAK + 65) -> DriftDetected:
    return next(iter(said(handle(kit, "detect", forecast(kit, as_of), event_id=f"forecast {as_of}")[1], DriftDetected)))


def test_a_drift_leads_to_one_retrain_that_names_its_reason(kit) -> None:
    found = drift(kit)
    event, answers = handle(kit, "retrain", found)
    (request,) = said(answers, DataRequested)
    assert request.refit
    assert (request.as_of, request.profile, request.scope) == (found.as_of, "smoke", "used")
    assert request.reason == f"drift: {found.what}"
    assert request.refits is None
    assert handle(kit, "retrain", found, event_id=event.id)[1] == answers
    other = found.model_copy(update={"horizon": Horizon.M1, "evidence": {"condition": "performance/1m"}})
    assert handle(kit, "retrain", other)[1] == []  # the same retrain serves both


def test_the_forecast_of_the_retrain_asks_for_no_other(kit) -> None:
    found = drift(kit)
    handle(kit, "retrain", found)
    assert handle(kit, "detect", forecast(kit, BREAK + 65), event_id="of the retrained run")[1] == []


def test_a_drift_in_the_cool_down_is_held_back_said_and_asked_again(kit) -> None:
    found = drift(kit)
    handle(kit, "retrain", found.model_copy(update={"run_id": forecast(kit, BREAK + 50).run_id}))
    _, answers = handle(kit, "retrain", found)
    assert said(answers, DataRequested) == []
    (alert,) = said(answers, AlertRaised)
    assert (alert.severity, alert.condition) == ("info", "")
    assert "no retrain yet" in alert.what
    assert not said(handle(kit, "detect", forecast(kit, BREAK + 70))[1], DriftDetected)
    (again,) = said(handle(kit, "detect", forecast(kit, BREAK + 75))[1], DriftDetected)
    (request,) = said(handle(kit, "retrain", again)[1], DataRequested)
    assert request.as_of == session_date(BREAK + 75)
    assert not said(handle(kit, "detect", forecast(kit, BREAK + 80))[1], DriftDetected)


def test_a_day_takes_no_more_than_its_retrains(kit) -> None:
    runs = [forecast(kit, as_of) for as_of in (4300, 4400, 4500, 4600)]
    found = DriftDetected(market="zl", kind="performance", evidence={}, action="retrain")
    asked = [handle(kit, "retrain", found.model_copy(update={"run_id": run.run_id}))[1] for run in runs]
    assert [len(said(answers, DataRequested)) for answers in asked] == [1, 1, 1, 0]
    assert "enough of them today" in said(asked[-1], AlertRaised)[0].what
    tomorrow = handle(
        kit,
        "retrain",
        found.model_copy(update={"run_id": runs[-1].run_id}),
        event_id="x",
        now=datetime(2024, 6, 4, tzinfo=UTC),
    )[1]
    assert said(tomorrow, DataRequested)


def test_importance_that_drifts_becomes_an_alert_once(kit) -> None:
    run = forecast(kit, 4500)
    found = DriftDetected(
        market="zl", kind="importance", evidence={"rank_correlation": 0.2}, action="alert", run_id=run.run_id,
        horizon=Horizon.W1, what="1w rests on palm now",
    )  # fmt: skip
    (alert,) = said(handle(kit, "retrain", found)[1], AlertRaised)
    assert (alert.condition, alert.what) == ("importance/1w", "1w rests on palm now")
    assert handle(kit, "retrain", found, event_id="again")[1] == []
    later = said(handle(kit, "detect", forecast(kit, 4600))[1], AlertRaised)
    assert [(a.condition, a.resolved) for a in later] == [("importance/1w", True)]


def test_an_alert_of_ours_is_not_told_twice_and_a_drift_of_no_run_is_refused(kit) -> None:
    own = DriftDetected(market="zl", kind="correlation", evidence={}, action="alert")
    assert handle(kit, "retrain", own)[1] == []
    for run_id in (None, "0" * 16):
        stray = DriftDetected(market="zl", kind="performance", evidence={}, action="retrain", run_id=run_id)
        with pytest.raises(ContractError, match="no such run"):
            handle(kit, "retrain", stray)


def rejected(as_of: date | None = date(2020, 1, 3)) -> DataRejected:
    stale = TableQuality(
        rows=9, verdict="rejected", newest=date(2020, 1, 2), findings=(Finding(check="stale", count=1, detail="old"),)
    )
    return DataRejected(
        market="zl", as_of=as_of, profile="smoke", warehouse="tables", simulated=True, table="prices",
        check="frozen_tail", message="prices: zl stands still", count=12, quality={"prices": stale, "vix": stale},
    )  # fmt: skip


@pytest.mark.parametrize("as_of", [date(2020, 1, 3), None])
def test_refused_data_are_an_alert_until_there_are_good_ones(kit, as_of) -> None:
    (alert,) = said(handle(kit, "refused", rejected(as_of))[1], AlertRaised)
    assert alert.condition == "rejected/prices"
    assert "frozen_tail" in alert.what
    assert "old as well: vix" in alert.what
    assert handle(kit, "refused", rejected(as_of), event_id="again")[1] == []
    over = said(handle(kit, "watch", exported(kit, 5100))[1], AlertRaised)
    assert [(a.condition, a.resolved) for a in over] == [("rejected/prices", True)]


def test_worlds_are_kept_apart(kit) -> None:
    handle(kit, "watch", exported(kit, 5010, frozen_from=5002))
    real = exported(kit, 5005).model_copy(update={"simulated": False})
    assert handle(kit, "watch", real)[1] == []
    assert sorted(kit.state.entries) == ["watched.zl.real", "watched.zl.simulated"]
