"""What the monitor shows of the whole system: a pure function of what is kept, and a board without remains."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRejected, Finding, TableQuality
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.events.promotion import GateReport, ModelPromoted, ModelShadowed, PromotionRejected
from cbi_common.reporting.projection import Runs
from cbi_common.testing.story import AS_OF, RUN_ID, START, Story, exported, forecast_ready
from monitor.adapters.board import Board
from monitor.domain.conditions import Book, Condition
from monitor.domain.gauges import bus, forecasts, passes, promotions, tables, watched
from monitor.domain.gauges.everything import FAMILIES, Facts, everything
from monitor.domain.gauges.family import Series
from monitor.domain.mail.outbox import Outbox

NOW = START + timedelta(minutes=5)


def values(series: Iterable[Series], name: str) -> dict[tuple[str, ...], float]:
    return {one.labels: one.value for one in series if one.family.name == name}


def facts(events: Iterable[Envelope[Any]] = (), now: datetime = NOW, **rest: Any) -> Facts:
    empty: dict[str, Any] = {
        "ledger": (), "worlds": {}, "books": {}, "outbox": Outbox(), "queues": (), "sizes": (), "letters": (),
        "disk": None,
    }  # fmt: skip
    return Facts(now=now, market="zl", runs=Runs(events), **{**empty, **rest})


def shown(
    name: str, events: Iterable[Envelope[Any]] = (), now: datetime = NOW, **rest: Any
) -> dict[tuple[str, ...], float]:
    return values(list(everything(facts(events, now, **rest))), name)


def provisional_forecast() -> ForecastReady:
    return forecast_ready().model_copy(update={"provisional": True})


def outcomes(events: Iterable[Envelope[Any]]) -> set[str]:
    return {outcome for (_, outcome), value in shown("cbi_newest_run", events).items() if value}


def test_before_anything_ran_counts_are_zero_and_not_absent() -> None:
    assert set(shown("cbi_recent_runs").values()) == {0}
    assert set(shown("cbi_newest_run").values()) == {0}
    assert shown("cbi_open_run_seconds") == {("zl",): 0}
    assert shown("cbi_recent_retrains") == {("zl",): 0}
    assert shown("cbi_forecast_issued_timestamp_seconds") == {}


def test_how_a_run_stands() -> None:
    story = Story()
    whole = story.whole()
    assert outcomes(whole[:1]) == {"open"}
    assert outcomes(whole) == {"done"}
    assert outcomes(Story().rejection()) == {"rejected"}
    assert outcomes([*whole[:3], story.alert()]) == {"failed"}
    assert outcomes([*whole, story.alert()]) == {"done"}, "an alert beside a run that ended well"
    provisional = [*whole[:3], story.tell(provisional_forecast(), "p")]
    assert outcomes(provisional) == {"provisional"}
    assert shown("cbi_open_run_seconds", provisional) == {("zl",): 300.0}
    assert shown("cbi_open_run_seconds", whole) == {("zl",): 0.0}


def test_a_run_is_counted_for_seven_days() -> None:
    whole = Story().whole()
    inside, outside = START + timedelta(days=7), START + timedelta(days=7, seconds=1)
    assert shown("cbi_recent_runs", whole, inside)["zl", "done"] == 1
    assert shown("cbi_recent_runs", whole, outside)["zl", "done"] == 0
    assert shown("cbi_newest_run", whole, outside)["zl", "done"] == 1


def test_models_of_the_newest_run_by_device_and_what_is_awaited() -> None:
    whole = Story().whole(failed="dense")
    found = shown("cbi_run_models", whole)
    assert found["zl", "cpu", "trained"] == 5
    assert found["zl", "metal", "failed"] == 5
    assert found["zl", "cpu", "awaited"] == 0
    half = [event for event in whole if event.type != "model.failed"]
    assert shown("cbi_run_models", half)["zl", "metal", "awaited"] == 5


def test_the_newest_final_forecast_counts_and_worlds_stay_apart() -> None:
    early, late = Story("req-1", simulated=False), Story("req-2", START + timedelta(hours=1), simulated=True)
    newest = Story("req-3", START + timedelta(hours=2), simulated=False)
    again = newest.whole()
    events = [*early.whole(), *late.whole(), *again]
    issued = shown("cbi_forecast_issued_timestamp_seconds", events)
    last = next(event for event in again if event.type == "forecast.ready")
    assert issued["zl", "real", "1m"] == last.time.timestamp()
    assert issued["zl", "simulated", "1m"] < last.time.timestamp()
    older = newest.tell(forecast_ready(simulated=False).model_copy(update={"as_of": AS_OF - timedelta(days=30)}), "old")
    assert shown("cbi_forecast_issued_timestamp_seconds", [*events, older]) == issued, "as of an earlier day"
    provisional = newest.tell(provisional_forecast().model_copy(update={"simulated": False}), "p")
    both = [*events, provisional]
    assert shown("cbi_forecast_issued_timestamp_seconds", both) == issued
    assert shown("cbi_forecast_provisional", both) == {("zl", "real"): 1, ("zl", "simulated"): 0}


def test_move_band_and_day_of_a_forecast() -> None:
    events = Story(simulated=False).whole()
    assert shown("cbi_forecast_move_ratio", events)["zl", "real", "1m"] == pytest.approx(51.0 / 49.0 - 1)
    assert shown("cbi_forecast_band_ratio", events)["zl", "real", "1m"] == pytest.approx(9.0 / 49.0)
    day = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC).timestamp()
    assert shown("cbi_forecast_as_of_timestamp_seconds", events)["zl", "real", "12m"] == day


def test_scores_stand_beside_no_change_and_say_their_world() -> None:
    events = Story(simulated=False).whole()
    mape = shown("cbi_score_mape_ratio", events)
    assert mape
    assert set(mape.values()) == {0.033}
    assert {labels[1] for labels in mape} == {"real"}
    assert set(shown("cbi_score_no_change_mape_ratio", events).values()) == {0.034}
    assert mape.keys() == shown("cbi_score_forecasts", events).keys()


def test_of_the_state_of_the_market_one_is_one() -> None:
    found = shown("cbi_regime", Story().whole())
    assert sum(found.values()) == 1
    assert found["zl", "simulated", "normal"] == 1
    assert len(found) == 4


def condition(kind: str, place: str) -> tuple[str, Condition]:
    return f"{kind}/{place}", Condition(scope="data", where=place, what="it is so", since=AS_OF, met=5000)


def test_open_conditions_and_scores_come_from_the_book() -> None:
    book = Book(open=dict([condition("stale", "a.b"), condition("stale", "a.c"), condition("feature", "crush")]))
    book = book.scored({"feature/crush": 1.2, "correlation/zl-cl": 0.4}, ("feature", "correlation"))
    books = {("zl", "real"): book}
    found = shown("cbi_open_conditions", books=books)
    assert found["zl", "real", "stale"] == 2
    assert found["zl", "real", "feature"] == 1
    assert found["zl", "real", "performance"] == 0
    scores = shown("cbi_drift_score_ratio", books=books)
    assert scores == {("zl", "real", "feature", "crush"): 1.2, ("zl", "real", "correlation", "zl-cl"): 0.4}


def test_scores_of_a_kind_are_replaced_and_others_stay() -> None:
    book = Book().scored({"feature/a": 1.0, "stale/t": 2.0}, ("feature", "stale"))
    assert book.scored({"feature/b": 0.5}, ("feature",)).scores == {"stale/t": 2.0, "feature/b": 0.5}


def test_alerts_drifts_and_retrains_of_a_week() -> None:
    story = Story()
    alert = AlertRaised(market="zl", severity="warning", source="s", what="w")
    drift = DriftDetected(market="zl", kind="feature", evidence={}, action="alert")
    retrain = story.request.data.model_copy(update={"refit": True})
    events = [
        story.request,
        story.tell(alert, "a"),
        story.tell(alert.model_copy(update={"resolved": True}), "b"),
        story.tell(alert.model_copy(update={"market": None}), "c"),
        story.tell(drift, "d"),
        story.tell(retrain, "e"),
    ]
    assert shown("cbi_recent_alerts", events)["zl", "warning"] == 1
    assert shown("cbi_recent_alerts", events)["", "warning"] == 1
    assert shown("cbi_recent_drifts", events)["zl", "feature"] == 1
    assert shown("cbi_recent_retrains", events) == {("zl",): 1}
    later = NOW + timedelta(days=8)
    assert shown("cbi_recent_alerts", events, later)["zl", "warning"] == 0
    assert shown("cbi_recent_retrains", events, later) == {("zl",): 0}


def quality(verdict: str, newest: date | None = None, **counts: int) -> TableQuality:
    findings = [Finding(check=check, count=n, detail="", severity="repaired") for check, n in counts.items()]
    return TableQuality.model_validate({"rows": 10, "verdict": verdict, "findings": findings, "newest": newest})


def export_of(**told: TableQuality) -> DataExported:
    return exported(simulated=False).model_copy(update={"quality": told})


def test_rows_verdict_findings_and_age_of_every_table() -> None:
    table = quality("repaired", AS_OF - timedelta(days=3), duplicate_row=3)
    twice = table.model_copy(update={"findings": table.findings * 2})
    events = [Story().tell(export_of(prices=twice, fx=quality("unused")))]
    assert shown("cbi_table_rows", events) == {("zl", "real", "prices"): 10, ("zl", "real", "fx"): 10}
    assert shown("cbi_table_verdict", events)["zl", "real", "prices", "repaired"] == 1
    found = shown("cbi_quality_findings", events)
    assert found == {("zl", "real", "prices", "duplicate_row", "repaired"): 6}, "of several columns, added up"
    assert shown("cbi_table_age_sessions", events) == {("zl", "real", "prices"): 3}


def test_a_refusal_shows_its_tables_in_place_of_the_last_export() -> None:
    story = Story()
    first = story.tell(export_of(prices=quality("ok")))
    data: DataRejected = Story().rejection()[1].data
    refused = story.tell(data)
    assert shown("cbi_table_verdict", [first, refused]) == {("zl", "real", "prices", "rejected"): 1}


def queue(consumer: str, waiting: int = 0, oldest: datetime | None = None) -> bus.Queue:
    return bus.Queue("EVENTS", consumer, waiting, 1, 2, 30, oldest)


def test_queues_and_who_gave_up_what() -> None:
    queues = [queue("a--x", 3, NOW - timedelta(seconds=90)), queue("b--y")]
    rest: dict[str, Any] = {"queues": queues, "letters": ("a--x", "a--x", "gone--z")}
    assert shown("cbi_queue_waiting_messages", **rest) == {("EVENTS", "a--x"): 3, ("EVENTS", "b--y"): 0}
    assert shown("cbi_queue_oldest_message_seconds", **rest) == {("EVENTS", "a--x"): 90, ("EVENTS", "b--y"): 0}
    assert shown("cbi_dead_letters_kept", **rest) == {("a--x",): 2, ("b--y",): 0, ("gone--z",): 1}


def test_a_lake_in_a_bucket_has_no_disk() -> None:
    assert shown("cbi_disk_free_bytes") == {}
    assert shown("cbi_disk_free_bytes", disk=bus.Disk(5, 10)) == {(): 5}


def promoted(model: str, *, rollback: bool = False) -> ModelPromoted:
    return ModelPromoted(
        market="zl", run_id=RUN_ID, horizon=Horizon.M1, model_id=model, target="local", policy="plan",
        report=GateReport(candidate="c", policies={}), previous=None, version=f"v-{model}", rollback=rollback,
    )  # fmt: skip


def test_who_serves_and_what_was_decided_since_ever() -> None:
    story = Story(simulated=False)
    events = story.whole()
    rejected = PromotionRejected(market="zl", run_id=RUN_ID, as_of=AS_OF, policy="plan", gates={}, reason="r")
    ledger = [
        story.tell(rejected, "1"),
        story.tell(promoted("one"), "2"),
        story.tell(promoted("two"), "3"),
        story.tell(promoted("one", rollback=True), "4"),
    ]
    rest: dict[str, Any] = {"ledger": ledger, "worlds": {RUN_ID: "real"}}
    counts = shown("cbi_promotions_total", events, **rest)
    assert counts == {("zl", "real", "promoted"): 2, ("zl", "real", "rolled back"): 1, ("zl", "real", "rejected"): 1}
    champions = shown("cbi_champion_info", events, **rest)
    assert ("zl", "real", "1m", "one", "v-one") in champions
    assert ("zl", "real", "1w", "none", "") in champions
    assert len(champions) == 5


def test_a_challenger_is_shown_until_it_is_promoted_or_silent() -> None:
    story = Story()
    said = ModelShadowed(
        market="zl",
        run_id=RUN_ID,
        horizon=Horizon.W1,
        challenger="c",
        champion="d",
        verdict="promote",
        e_value=21.0,
        n=70,
    )
    rest: dict[str, Any] = {"ledger": [story.tell(said)], "worlds": {RUN_ID: "real"}}
    assert shown("cbi_shadow_e_value", **rest) == {("zl", "real", "1w"): 21.0}
    assert shown("cbi_shadow_forecasts", **rest) == {("zl", "real", "1w"): 70}
    assert shown("cbi_shadow_decided", **rest) == {("zl", "real", "1w", "promote"): 1, ("zl", "real", "1w", "keep"): 0}
    assert shown("cbi_shadow_e_value", now=NOW + timedelta(days=15), **rest) == {}
    done = promoted("c").model_copy(update={"horizon": Horizon.W1})
    rest["ledger"].append(story.tell(done, "5"))
    assert shown("cbi_shadow_e_value", **rest) == {}


def test_every_series_belongs_to_a_declared_family_and_no_two_are_the_same() -> None:
    books = {("zl", "real"): Book()}
    series = list(everything(facts(Story().whole(), books=books, disk=bus.Disk(1, 2), queues=[queue("a--x")])))
    assert {one.family for one in series} <= set(FAMILIES)
    assert len({(one.family.name, one.labels) for one in series}) == len(series)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    parts = (bus, passes, forecasts, watched, tables, promotions)
    assert sum(len(part.FAMILIES) for part in parts) + 1 == len(FAMILIES)


def test_what_is_no_longer_shown_is_gone_and_a_counter_keeps_its_name() -> None:
    registry, board = CollectorRegistry(), Board()
    registry.register(board)
    board.show(
        [tables.ROWS.of("zl", "real", "old", value=1), promotions.PROMOTIONS.of("zl", "real", "promoted", value=2)]
    )
    board.show([tables.ROWS.of("zl", "real", "new", value=3)])
    text = generate_latest(registry).decode()
    assert 'cbi_table_rows{market="zl",table="new",world="real"} 3.0' in text
    assert '"old"' not in text
    assert "# TYPE cbi_promotions_total counter" in text
