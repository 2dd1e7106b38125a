"""The daily page says what is to be done, why, what has changed and what is wrong, and marks what is simulated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.events.regime import RegimeDetected
from cbi_common.reporting.projection import Runs
from cbi_common.testing.story import AS_OF, POINTS, RUN_ID, START, Story
from monitor.adapters.letters import daily_letter
from monitor.adapters.smtp import Server
from monitor.domain.mail.daily import Daily, Post, compose
from monitor.domain.mail.known import known_at

SERVER = Server("localhost", 25, "none", "cbi@example.com", ("chris@example.com",), None, None, None)
NOW = START + timedelta(days=1)
YESTERDAY = START - timedelta(hours=1)


def changed(events: list[Envelope[Any]], kind: type, **fields: Any) -> list[Envelope[Any]]:
    """Return the events with other data in those of one class."""
    return [
        e.model_copy(update={"data": e.data.model_copy(update=fields)}) if isinstance(e.data, kind) else e
        for e in events
    ]


def alert(what: str, *, resolved: bool = False, condition: str = "stale/palm", **fields: Any) -> AlertRaised:
    told = {"market": "zl", "severity": "warning", "source": "monitor--watch", "since": AS_OF, **fields}
    return AlertRaised(what=what, condition=condition, resolved=resolved, **told)


def page(events: list[Envelope[Any]], since: Any = None, post: Post | None = None, now: Any = NOW) -> Daily:
    runs = Runs(events)
    then = None if since is None else known_at(runs, "zl", since)
    return compose(known_at(runs, "zl"), then, since, now, post or Post())


def bodies(found: Daily) -> tuple[str, str]:
    message = daily_letter(found, SERVER, "id", NOW)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    assert all(parts)
    return tuple(str(part.get_content()) for part in parts if part)  # type: ignore[return-value]


def lines(found: Daily) -> dict[str, tuple[str, bool]]:
    return {line.label: (line.text, line.bad) for line in found.health}


def test_every_horizon_stands_in_both_bodies_with_price_forecast_band_no_change_and_signal() -> None:
    found = page(Story().whole())
    assert [row.point for row in found.rows] == [f"{POINTS[h]:.2f}" for h in Horizon]
    for body in bodies(found):
        for row in found.rows:
            for cell in (row.name, row.signal, row.point, row.lower, row.upper, row.current, row.no_change, row.move):
                assert cell in body
    assert found.subject == "Soybean oil, 20 May: BUY 1m, 12m; WAIT 3m; MONITOR 1w, 6m, at 49.00 ¢/lb"


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_data_are_marked_in_subject_text_and_html_and_real_ones_are_not(*, simulated: bool) -> None:
    found = page(Story(simulated=simulated).whole())
    message = daily_letter(found, SERVER, "id", NOW)
    for part in (str(message["Subject"]), *bodies(found)):
        assert ("simulated" in part.lower()) == simulated


def test_why_is_told_in_the_sentences_of_the_explanation_or_in_its_groups() -> None:
    events = Story().whole()
    assert page(events).why[1].sentences == ("In ¢/lb: palm +1.50, expectation +0.30, price history +0.20.",)
    (explained,) = [e.data for e in events if isinstance(e.data, ExplanationReady)]
    told = {
        h: one.model_copy(update={"why": ("As in the table.", "Palm pushes it up.", "It proves nothing.")})
        for h, one in explained.explanations.items()
    }
    found = page(changed(events, ExplanationReady, explanations=told))
    assert found.why[1].sentences == ("Palm pushes it up.", "It proves nothing.")
    assert all("Palm pushes it up." in body for body in bodies(found))


def test_the_first_mail_compares_with_nothing() -> None:
    assert page(Story().whole()).changed == ("This is the first daily mail.",)


def test_without_a_new_forecast_the_mail_says_so() -> None:
    events = Story().whole()
    assert page(events, since=START + timedelta(hours=1)).changed == (
        f"No new forecast: the newest one is still that of {AS_OF}.",
    )


def test_what_has_changed_since_the_last_mail() -> None:
    before, after = Story("before", START - timedelta(days=1)), Story("after")
    events = after.whole()
    (forecast,) = [e.data for e in events if isinstance(e.data, ForecastReady)]
    moved = {
        h: one.model_copy(update={"current": 50.0, "signal": "WAIT" if h == Horizon.W1 else one.signal})
        for h, one in forecast.forecasts.items()
    }
    events = changed(changed(events, ForecastReady, forecasts=moved), RegimeDetected, state=Regime.BEAR)
    drift = after.tell(DriftDetected(market="zl", kind="correlation", evidence={}, action="retrain", run_id=RUN_ID))
    more = [
        after.tell(alert("palm is old"), "begun"),
        after.tell(alert("crude is back", resolved=True, condition="stale/crude"), "over"),
        drift,
        after.tell(DataRequested(market="zl", refit=True, reason="drift: palm"), cause=drift),
    ]
    found = page([*before.whole(), *events, *more], since=YESTERDAY)
    assert found.changed == (
        "Price: 50.00 ¢/lb, was 49.00 (+2.0 %)",
        "1 week: WAIT, was MONITOR",
        "Forecasts: 1w 49.50 → 49.50; 1m 51.00 → 51.00; 3m 47.00 → 47.00; 6m 50.00 → 50.00; 12m 52.00 → 52.00",
        "Market state: bear, was normal",
        "new alert: palm is old",
        "crude is back",
        "models trained anew: drift: palm",
    )


def test_health_names_what_is_wrong() -> None:
    story = Story()
    events = changed(story.whole(), ForecastReady, missing_members=("ridge@1w", "tcn@1m"))
    events += [
        story.tell(alert("palm is old"), "begun"),
        story.tell(alert("crude is old", condition="stale/crude"), "begun 2"),
        story.tell(alert("crude is old", resolved=True, condition="stale/crude"), "over"),
        story.tell(alert("the canary died", condition="", severity="critical"), "once"),
        story.tell(alert("a retrain waits", condition="", severity="info"), "hardly"),
    ]
    found = page(
        events,
        since=YESTERDAY,
        post=Post(given_up=(START, YESTERDAY), failed=3, trouble="mail server x: does not answer"),
    )
    told = [(line.label, line.text) for line in found.health if line.bad]
    assert told == [
        ("Last pass", "24 hours ago; monitor--watch: the canary died"),
        ("Models", "2 missing: ridge@1w, tcn@1m"),
        ("Alert", f"palm is old (since {AS_OF})"),
        ("Alert", "the canary died (monitor--watch)"),
        ("Messages given up", "2, 1 since the last mail; see `cbi dead list`"),
        ("Mail", "3 attempts failed before this one: mail server x: does not answer"),
    ]
    old = Post(given_up=(YESTERDAY - timedelta(days=3),))
    assert not any(line.bad for line in page(Story().whole(), since=YESTERDAY, post=old).health)


def test_old_data_are_said_to_be_old() -> None:
    found = page(Story().whole(), now=START + timedelta(days=9))
    assert found.old
    assert "This is not a forecast of today." in found.freshness
    assert found.subject.endswith("(data 7 sessions old)")
    assert lines(found)["Data"] == ("7 sessions old", True)
    assert lines(found)["Last pass"] == ("9 days ago", True)


def test_refused_data_are_told_beside_the_forecast_that_stands() -> None:
    refused = Story("refused", START + timedelta(hours=2), simulated=False)
    found = page([*Story(simulated=False).whole(), *refused.rejection()])
    assert [row.point for row in found.rows] == [f"{POINTS[h]:.2f}" for h in Horizon]
    text, bad = lines(found)["Last pass"]
    assert bad
    assert "the data were refused: prices: close holds text" in text


def test_a_market_that_has_nothing_yet_gets_a_mail_that_says_so() -> None:
    found = page([])
    assert found.subject == "zl, 20 May: no forecast"
    assert "There is no forecast yet." in bodies(found)[0]
    assert lines(found)["Last pass"] == ("none yet", True)


def test_another_world_and_another_market_are_left_out() -> None:
    simulated = Story("sim", START - timedelta(hours=5), simulated=True)
    other = simulated.whole()
    found = page(
        [*other, simulated.tell(alert("simulated trouble"), "s"), *Story(simulated=False).whole()],
        since=START - timedelta(hours=4),
    )
    assert found.origin.simulated is False
    assert found.changed == ("This is the first forecast.",)
    assert "trouble" not in "".join(bodies(found))
    wti = known_at(Runs(Story().whole()), "wti")
    assert (wti.run, wti.passes) == (None, ())


def test_text_from_elsewhere_is_escaped_and_cannot_begin_a_line() -> None:
    story = Story()
    hostile = alert("<img src=x onerror=alert(1)>\nBUY everything", since=None)
    text, html = bodies(page([*story.whole(), story.tell(hostile)], since=YESTERDAY))
    assert "<img" not in html
    assert "&lt;img src=x" in html
    assert not any(line.startswith("BUY everything") for line in text.splitlines())


def test_a_mail_can_be_told_from_a_letter_and_repeats_its_id() -> None:
    found = page(Story().whole())
    first, second = (daily_letter(found, SERVER, "id-1", NOW) for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == "<id-1@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert (first["From"], first["To"]) == ("cbi@example.com", "chris@example.com")
