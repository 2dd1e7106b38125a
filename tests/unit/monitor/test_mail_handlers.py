"""What is mailed, and that it is mailed once, whatever dies or comes twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import NotYet, TransientError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.monitoring import AlertRaised, MailRequested
from cbi_common.reporting.projection import Runs
from cbi_common.testing.fakes import NOW, FakeState, envelope, make_kit
from cbi_common.testing.story import AS_OF, Story, detected, forecast_ready, horizon_forecast
from monitor import mail_handlers as module
from monitor.mail_handlers import MailHandlers

SETTINGS = {"smtp_host": "localhost", "smtp_from": "cbi@example.com", "smtp_to": ("chris@example.com",)}


class FakePast:
    """Events in a list."""

    def __init__(self, events: list[Envelope[Any]]) -> None:
        self._events = events

    async def data(self) -> Runs:
        return Runs(self._events)

    async def everything(self) -> Runs:
        return Runs(self._events)

    async def dead_letters(self) -> list[datetime]:
        return []


class Desk:
    """Handlers at a time that tests set, and the mails that they sent."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.state = NOW, FakeState()
        self.sent: list[EmailMessage] = []
        self.troubles: list[Exception] = []
        self.story = Story("pass", simulated=False)
        self._events = self.story.whole()
        self._kit = make_kit(folder, state=self.state, **SETTINGS)
        monkeypatch.setattr(module, "send", self._send)
        self.handlers = self.start()

    def start(self) -> MailHandlers:
        """Return handlers that know only what the state does."""
        kit = replace(self._kit, clock=lambda: self.now)
        return MailHandlers(kit, FakePast(self._events))  # type: ignore[arg-type]

    async def _send(self, _server: object, message: EmailMessage) -> tuple[str, ...]:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(message)
        return ()

    def event(self, data: EventData, event_id: str = "") -> Envelope[Any]:
        return envelope(data, event_id=event_id, correlation="pass")

    def take(self, handler: str, event: Envelope[Any]) -> None:
        assert asyncio.run(getattr(self.handlers, handler)(event)) == []

    def tell(self, handler: str, data: EventData, event_id: str = "") -> None:
        """Hand in an event, and again when it is due."""
        event = self.event(data, event_id)
        try:
            self.take(handler, event)
        except NotYet as later:
            self.now += timedelta(seconds=later.delay_s)
            self.take(handler, event)

    def text(self, number: int = -1) -> str:
        body = self.sent[number].get_body(("plain",))
        assert body is not None
        return str(body.get_content())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def alert(what: str = "palm is old", **fields: Any) -> AlertRaised:
    told = {"condition": "stale/palm", "severity": "warning", "since": AS_OF, "source": "monitor--watch", **fields}
    return AlertRaised(market="zl", what=what, **told)


def test_alerts_wait_for_each_other_and_go_together(desk: Desk) -> None:
    first, second = desk.event(alert()), desk.event(alert("crude is old", condition="stale/crude"))
    for event in (first, second):
        with pytest.raises(NotYet) as later:
            desk.take("mail_alert", event)
        assert later.value.delay_s == 60 - (desk.now - NOW).total_seconds()
        desk.now += timedelta(seconds=20)
    assert desk.sent == []
    desk.now = NOW + timedelta(seconds=60)
    for event in (second, first, second):
        desk.take("mail_alert", event)
    assert len(desk.sent) == 1
    assert "palm is old" in desk.text()
    assert "crude is old" in desk.text()


def test_a_condition_is_mailed_when_it_begins_and_when_it_is_over(desk: Desk) -> None:
    desk.tell("mail_alert", alert(), "1")
    desk.tell("mail_alert", alert(), "2")
    assert len(desk.sent) == 1
    desk.tell("mail_alert", alert("over: palm is old", severity="info", resolved=True), "3")
    assert "OVER: palm is old" in desk.text()
    desk.tell("mail_alert", alert("over: palm is old", severity="info", resolved=True), "4")
    assert len(desk.sent) == 2
    desk.tell("mail_alert", alert(), "5")
    assert len(desk.sent) == 3


def test_a_condition_whose_end_was_missed_is_mailed_when_it_begins_anew(desk: Desk) -> None:
    desk.tell("mail_alert", alert(), "1")
    desk.tell("mail_alert", alert(since=date(2025, 6, 2)), "2")
    assert len(desk.sent) == 2


def test_what_happens_every_day_is_mailed_once_a_week(desk: Desk) -> None:
    for day in range(8):
        desk.now = NOW + timedelta(days=day)
        desk.tell("mail_alert", alert("no GPU", condition="", since=None), f"day {day}")
    assert len(desk.sent) == 2


@pytest.mark.parametrize("what", [alert(severity="info"), alert(severity="info", resolved=True)])
def test_what_nobody_must_know_now_is_not_mailed(desk: Desk, what: AlertRaised) -> None:
    desk.tell("mail_alert", what)
    assert desk.sent == []


def test_a_mail_that_was_sent_but_not_noted_is_sent_again_under_its_own_id(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = desk.state.compare_and_set

    async def dies_after_sending(key: str, value: bytes, revision: int) -> bool:
        if desk.sent:
            raise TransientError("killed", where="test")
        return await whole(key, value, revision)

    monkeypatch.setattr(desk.state, "compare_and_set", dies_after_sending)
    event = desk.event(alert(), "1")
    with pytest.raises(NotYet):
        desk.take("mail_alert", event)
    desk.now += timedelta(seconds=60)
    with pytest.raises(TransientError):
        desk.take("mail_alert", event)
    monkeypatch.setattr(desk.state, "compare_and_set", whole)
    desk.handlers = desk.start()
    with pytest.raises(NotYet):  # somebody may still be sending it
        desk.take("mail_alert", event)
    desk.tell("mail_alert", alert("crude is old", condition="stale/crude"), "2")  # does not join what was sealed
    desk.now += timedelta(minutes=3)
    desk.take("mail_alert", event)
    desk.take("mail_alert", event)
    first, other, again = desk.sent
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first.as_bytes().split(b"boundary")[0] == again.as_bytes().split(b"boundary")[0]
    assert desk.text(0) == desk.text(2)
    assert "crude" not in desk.text(0)


def test_one_that_comes_while_it_is_being_sent_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    event = desk.event(alert(), "1")
    with pytest.raises(NotYet):
        desk.take("mail_alert", event)
    desk.now += timedelta(seconds=60)
    waited: list[NotYet] = []

    async def slowly(_server: object, message: EmailMessage) -> tuple[str, ...]:
        with pytest.raises(NotYet) as later:
            await desk.start().mail_alert(event)
        waited.append(later.value)
        desk.sent.append(message)
        return ()

    monkeypatch.setattr(module, "send", slowly)
    desk.take("mail_alert", event)
    assert (len(waited), len(desk.sent)) == (1, 1)
    desk.take("mail_alert", event)
    assert len(desk.sent) == 1


def test_a_failure_is_noted_and_the_next_attempt_is_free(desk: Desk) -> None:
    desk.troubles = [TransientError("away", where="mail server")] * 2
    event = desk.event(MailRequested(market="zl"), "due")
    for count in (1, 2):
        with pytest.raises(TransientError):
            desk.take("mail_daily", event)
        assert asyncio.run(desk.handlers._book.read()).failed == count
    desk.take("mail_daily", event)
    desk.take("mail_daily", event)
    assert len(desk.sent) == 1
    assert "2 attempts failed before this one: mail server: away" in desk.text()


def test_a_signal_is_compared_with_the_last_forecast_of_its_market_and_world(desk: Desk) -> None:
    real, simulated = forecast_ready(simulated=False), forecast_ready(simulated=True)
    desk.tell("mail_signal", real, "1")
    wait = horizon_forecast(Horizon.W1).model_copy(update={"signal": "WAIT"})
    changed = {"forecasts": {**real.forecasts, Horizon.W1: wait}}
    desk.tell("mail_signal", simulated.model_copy(update=changed), "2")
    desk.tell("mail_signal", real.model_copy(update={**changed, "provisional": True}), "3")
    older = real.model_copy(update={**changed, "as_of": AS_OF - timedelta(days=1)})
    desk.tell("mail_signal", older, "4")
    assert desk.sent == []
    desk.tell("mail_signal", real.model_copy(update=changed), "5")
    desk.tell("mail_signal", real.model_copy(update=changed), "6")
    (message,) = desk.sent
    assert message["Subject"] == "Soybean oil: 1 week WAIT, was MONITOR"
    assert "forecast 49.50 ¢/lb (+1.0 %), 90 % band 45.50 to 54.50, now 49.00" in desk.text()
    stale = real.model_copy(update={"as_of": AS_OF + timedelta(days=60)})
    desk.tell("mail_signal", stale, "7")  # nobody has looked for two months: there is nothing to compare with
    assert len(desk.sent) == 1


def test_a_change_of_the_market_state_is_mailed_once_though_a_session_was_missed(desk: Desk) -> None:
    found = detected()
    desk.tell("mail_regime", found, "1")
    assert "market state normal, was bull" in desk.text()
    desk.tell("mail_regime", found, "2")  # another pass over the same day
    assert len(desk.sent) == 1
    later = {"as_of": AS_OF + timedelta(days=4), "state": Regime.BEAR, "previous_state": Regime.BEAR}
    desk.tell("mail_regime", found.model_copy(update=later), "3")
    assert "market state bear, was normal" in desk.text()
    desk.tell("mail_regime", found, "4")  # a pass as of an earlier day says nothing of today
    assert len(desk.sent) == 2


def test_an_alert_outside_of_any_pass_is_of_the_world_that_its_market_was_last_seen_in(desk: Desk) -> None:
    event = envelope(alert(), event_id="by hand")
    with pytest.raises(NotYet):
        desk.take("mail_alert", event)
    desk.now += timedelta(seconds=60)
    desk.take("mail_alert", event)
    (message,) = desk.sent
    assert message["Subject"] == "Soybean oil: palm is old"
