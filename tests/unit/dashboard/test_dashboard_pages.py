"""What stands on the pages, before any HTML."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.promotion import GateReport, ModelPromoted, ModelShadowed, PolicyReport
from cbi_common.markets.units import UnitName
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.past import days_of
from cbi_common.testing.story import RUN_ID, START, Story, exported, forecast_ready, horizon_forecast, metrics
from dashboard.adapters.tables import Tables
from dashboard.domain import sheet, view
from dashboard.domain.bought import backtest
from dashboard.domain.edge import has_edge
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages import decisions, models, record, regime, runs, today, why
from dashboard.domain.pages.chrome import Traced
from dashboard.domain.terms import Terms
from dashboard.domain.track import RegimeHistory, spells

TODAY = START + timedelta(hours=2)


@pytest.fixture(scope="module")
def lake() -> Lake:
    return Lake("memory://dashboard-pages")


@pytest.fixture(scope="module")
def known(lake: Lake) -> Known:
    return Known(Runs(days_of(lake, 12)))


def prediction(**changes: Any) -> view.Prediction:
    (first, *_) = view.predictions(Runs(Story().whole()), TODAY.date()).predictions
    return first.model_copy(update=changes)


@pytest.mark.parametrize(
    ("signal", "point", "words"),
    [("BUY", 52.0, "Buy now"), ("WAIT", 46.0, "Wait"), ("MONITOR", 49.1, "No clear move")],
)
def test_advice_says_what_to_do(signal: str, point: float, words: str) -> None:
    said = today.advice(prediction(signal=signal, point=point))
    assert said.startswith(words)
    assert ("+" in said) == (point > 49)


@pytest.mark.parametrize(
    ("skill", "dm_p", "words", "edge"),
    [
        (None, None, "not scored", False),
        (-0.01, 0.9, "no better", False),
        (0.0, 0.5, "no better", False),
        (0.02, None, "too few independent", False),
        (0.02, 0.2, "not proven", False),
        (0.02, 0.01, "better than no change", True),
    ],
)
def test_the_record_is_never_flattered(skill: float | None, dm_p: float | None, words: str, edge: bool) -> None:
    found = prediction(skill=skill, dm_p=dm_p)
    assert today.verdict(found).startswith(words)
    assert has_edge(found) is edge


def test_the_headline_names_only_horizons_with_an_edge() -> None:
    plain, proven = prediction(), prediction(skill=0.1, dm_p=0.01, signal="BUY")
    assert "No forecast edge at any horizon" in today.headline((plain,))
    assert today.headline((proven,)) == "BUY at 1 week."
    assert today.headline((proven, plain)).endswith("The other horizons have no forecast edge.")


def test_an_empty_system_says_how_to_begin() -> None:
    shown = today.compose(Known(Runs()), TODAY)
    assert "cbi run" in shown.empty
    assert shown.cards == ()


def test_fresh_data_is_not_called_old_and_old_data_is() -> None:
    known = Known(Runs(Story().whole()))
    assert not today.compose(known, TODAY).chrome.old
    later = today.compose(known, TODAY + timedelta(days=30)).chrome
    assert later.old
    assert "33 days ago" in later.freshness


def test_a_bus_that_does_not_answer_is_said() -> None:
    known = Known(Runs(Story().whole()))
    known.connection(START)
    assert "does not answer since 2025-05-19 12:00" in today.compose(known, TODAY).chrome.lost
    known.connection(None)
    assert today.compose(known, TODAY).chrome.lost == ""


def test_a_rejected_newer_run_is_named_beside_the_older_numbers() -> None:
    newer = Story("newer", START + timedelta(hours=1))
    known = Known(Runs([*Story().whole(), *newer.rejection()]))
    shown = today.compose(known, TODAY)
    assert shown.chrome.old
    assert "text_in_numbers" in shown.chrome.freshness
    assert shown.cards
    listed = runs.compose(known, TODAY, actions=False, csrf="", market="zl")
    assert listed.runs[0].run.stage == "rejected"


def test_a_missing_horizon_is_listed_with_its_reason() -> None:
    story = Story()
    events = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M12))]
    shown = today.compose(Known(Runs(events)), TODAY)
    assert shown.missing == (("12 months", "no member has matured cutoffs"),)
    assert shown.regime is None
    assert {card.why for card in shown.cards} == {("Not explained yet.",)}


def test_scores_of_a_forecast_reach_the_answer() -> None:
    found = horizon_forecast(Horizon.W1).model_copy(update={"metrics": metrics(skill=0.25, dm_p=0.01)})
    data = forecast_ready().model_copy(update={"forecasts": {Horizon.W1: found}})
    story = Story()
    answer = view.forecast(Runs([story.request, story.tell(data)]), Horizon.W1, TODAY.date())
    assert (answer.prediction.skill, answer.prediction.dm_p, answer.prediction.no_change_mape) == (0.25, 0.01, 0.034)


@pytest.mark.parametrize(("unit", "label", "point"), [("market", "¢/lb", "49.50"), ("gal", "$/gal", "3.812")])
def test_prices_are_told_in_the_unit_that_was_chosen(unit: UnitName, label: str, point: str) -> None:
    shown = today.compose(Known(Runs(Story().whole())), TODAY, unit=unit)
    assert shown.chrome.money.label == label
    assert shown.cards[0].point.text == point
    assert [choice.name for choice in shown.chrome.units] == ["¢/lb", "$/cwt", "$/gal"]
    assert Money.of("$/bbl", unit).label == "$/bbl"


def test_the_fan_begins_at_the_price_of_today_and_widens(known: Known, lake: Lake) -> None:
    run = view.forecast_run(known.runs)
    assert run.forecast is not None
    tracks = asyncio.run(Tables(lake).tracks(run.forecast.data.served))
    shown = today.compose(known, TODAY, tracks)
    assert shown.fan is not None
    assert "Today 49.00" in shown.fan.caption
    assert [row[0] for row in shown.fan.cells.rows] == ["1 week", "1 month", "3 months", "6 months", "12 months"]
    recorded = record.compose(known, TODAY, Horizon.M1, tracks)
    assert recorded.chart is not None
    assert recorded.latest is not None
    assert len(recorded.latest.rows) == 12
    newest = recorded.latest.rows[0]
    track = tracks[Horizon.M1]
    row = max(track.matured(date.min))
    assert newest[0] == track.targets[row].isoformat()
    assert newest[4] == Traced(f"{track.actual[row]:.2f}", f"/runs/{run.correlation_id}#e-{run.forecast.id}")


def test_shares_add_up_from_today_to_the_forecast(known: Known) -> None:
    shown = why.compose(known, TODAY, Horizon.M1)
    assert shown.waterfall is not None
    (_, start), *shares, (_, end) = shown.waterfall.cells.rows
    assert float(start) + sum(float(text) for _, text in shares) == pytest.approx(float(end), abs=0.02)
    assert [factor.name for factor in shown.factors] == ["China", "Harvest and weather", "Biofuel", "Palm oil"]
    assert shown.factors[1].share.text == "says nothing"


def test_the_history_of_reasons_has_one_row_a_day_newest_first(known: Known) -> None:
    shown = why.compose(known, TODAY, Horizon.M1)
    assert shown.history is not None
    days = [row[0] for row in shown.history.cells.rows]
    assert len(days) == 12
    assert days == sorted(days, reverse=True)
    assert why.compose(Known(Runs(Story().whole())), TODAY, Horizon.M1).history is None


def test_spells_are_cut_where_they_are_asked_for() -> None:
    days = tuple(date(2024, 1, 1) + timedelta(days=i) for i in range(6))
    states = (Regime.BULL, Regime.BULL, Regime.BEAR, Regime.NORMAL, Regime.NORMAL, Regime.NORMAL)
    history = RegimeHistory(days, states, {})
    found = spells(history, days[1])
    assert [(s.state, s.first, s.after) for s in found] == [
        (Regime.BULL, days[1], days[2]), (Regime.BEAR, days[2], days[3]), (Regime.NORMAL, days[3], days[5]),
    ]  # fmt: skip
    assert spells(history, days[5]) == ()


def test_the_states_of_the_market_over_its_price(known: Known, lake: Lake) -> None:
    run = view.forecast_run(known.runs)
    assert run.forecast is not None
    assert run.regime is not None
    tables = Tables(lake)
    history = asyncio.run(tables.regimes(run.regime.data.history))
    tracks = asyncio.run(tables.tracks(run.forecast.data.served))
    shown = regime.compose(known, TODAY, history, tracks)
    assert shown.state == "normal"
    assert "7 sessions" in shown.since
    assert shown.ribbon is not None
    assert shown.ribbon.cells.rows[0][0] == "normal"
    assert shown.chances is not None
    assert shown.effect is not None
    assert regime.compose(known, TODAY, no_charts="lost").ribbon is None


def test_weights_gates_and_the_ledger(known: Known) -> None:
    shown = models.compose(known, TODAY)
    assert [w.model for w in shown.blends[0].weights] == ["ets", "dense"]
    assert {gate.verdict for gate in shown.gates} == {"fail"}
    assert shown.ledger is not None
    assert len(shown.ledger.rows) == 12
    assert shown.champions is None


def test_champion_and_challenger_stand_beside_each_other() -> None:
    story = Story()
    report = GateReport(candidate="ets", policies={"plan": PolicyReport(gates=(), verdict="pass")})
    promoted = ModelPromoted(
        market="zl", run_id=RUN_ID, horizon=Horizon.M1, model_id="ets", target="local", policy="plan", report=report,
        previous=None, version="v-0123456789abcdef",
    )  # fmt: skip
    shadowed = ModelShadowed(
        market="zl",
        run_id=RUN_ID,
        horizon=Horizon.M1,
        challenger="ridge",
        champion="ets",
        verdict="extend",
        e_value=3.2,
    )
    told = [*story.whole(), story.tell(promoted), story.tell(shadowed)]
    shown = models.compose(Known(Runs(told)), TODAY)
    assert shown.champions is not None
    (row,) = shown.champions.rows
    assert row[0] == "ZL 1 month"
    assert [cell.text for cell in row if isinstance(cell, Traced)] == ["ets", "ridge", "model card"]
    assert row[-3:] == ("3.2", "extend", Traced("model card", "/models/card/v-0123456789abcdef"))


def test_a_run_is_under_way_until_it_ends_or_falls_silent() -> None:
    begun = Known(Runs(Story().whole()[:6]))

    def live(later: timedelta) -> int:
        return len(runs.compose(begun, START + later, actions=False, csrf="", market="zl").live)

    assert live(timedelta(minutes=1)) == 1
    assert live(timedelta(hours=7)) == 0
    done = Known(Runs(Story().whole()))
    assert runs.compose(done, START, actions=False, csrf="", market="zl").live == ()


def test_lineage_is_indented_below_its_cause() -> None:
    known = Known(Runs(Story().whole()))
    shown = runs.detail(known, known.runs.find("req-1"), TODAY)
    depth = {entry.type: entry.depth for entry in shown.lineage}
    assert (depth["data.requested"], depth["data.exported"], depth["forecast.ready"]) == (0, 1, 2)
    assert depth["explanation.ready"] == 3


def test_the_budget_at_risk_and_no_direction_without_an_edge() -> None:
    shown = decisions.compose(Known(Runs(Story().whole())), TODAY, Terms(), None, why="see `cbi backtest`")
    assert shown.risk is not None
    first = shown.risk.rows[0]
    assert [cell.text for cell in first if isinstance(cell, Traced)] == ["+5.50", "+11 %", "-3.50"]
    assert {row[-1] for row in shown.risk.rows} == {"by policy: no forecast edge"}
    assert (shown.no_backtest, shown.backtest) == ("see `cbi backtest`", None)


def found_by(**changes: Any) -> dict[str, Any]:
    figures = {
        "average_cost": 47.5, "savings_pct": 0.02, "savings_ci": (-0.01, 0.05), "cover_pct": 0.015, "timing_pct": 0.005,
        "cost_volatility": 0.06, "ceiling_pct": 0.11, "share_of_ceiling": 0.18, "carry": 0.4, "roi": None,
        "break_even_carry": 0.4, "mean_cover": 2.5, "worst_month": 0.2, "months": 57, "rolled": 0.1,
    }  # fmt: skip
    return {"months": 57, "strategies": {"spot": {**figures, "cost_volatility": 0.1}, "signal": {**figures, **changes}}}


def test_a_backtest_is_shown_beside_the_ceiling_and_told_for_a_spreadsheet() -> None:
    known = Known(Runs(Story().whole()))
    answer = backtest(known.runs, view.forecast_run(known.runs), Terms(cover=3), found_by(), TODAY.date())
    shown = decisions.compose(known, TODAY, Terms(cover=3), answer)
    assert shown.backtest is not None
    name, *cells = shown.backtest.rows[1]
    assert name == "by our signal"
    assert [cell.text for cell in cells if isinstance(cell, Traced)] == [
        "47.50", "+2.0 %", "-1.0 % to +5.0 %", "+1.5 %", "+0.5 %", "6.0 %", "18 %", "2.5", "0.40",
    ]  # fmt: skip
    assert any("11.0 %" in line for line in shown.backtest.note)
    row = list(sheet.rows(answer))[1]
    assert (row["strategy"], row["savings_low"], row["terms_cover"], row["simulated"]) == ("signal", -0.01, 3, True)


@pytest.mark.parametrize(
    ("interval", "words"),
    [((-0.01, 0.05), "which may be luck"), ((0.01, 0.05), "more than luck"), ((-0.05, -0.01), "less than nothing"),
     (None, "too few to tell it from luck")],
)  # fmt: skip
def test_savings_are_never_claimed_beyond_their_interval(interval: tuple[float, float] | None, words: str) -> None:
    known = Known(Runs(Story().whole()))
    found = found_by(savings_ci=interval)
    said = decisions.headline(backtest(known.runs, view.forecast_run(known.runs), Terms(), found, TODAY.date()))
    assert words in said
    assert said.endswith("the monthly cost moved by 6.0 % in place of 10.0 %.")
