"""Mails through a real mail server, asked for over a real bus: encrypted, with a login, grouped, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import InfrastructureError, TransientError
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, MailRequested
from cbi_common.runtime.retry import RetryPolicy
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.testing.bench import QUICK, Bench, bench, eventually
from cbi_common.testing.post import PASSWORD, Office, office
from cbi_common.testing.story import AS_OF, Story, exported
from monitor.adapters import smtp
from monitor.adapters.smtp import send, server_of
from monitor.app import add_mail
from monitor.mail_book import MailBook

PATIENT = RetryPolicy(transient_delays_s=(0.1,), transient_total_s=30, error_delays_s=(0.05, 0.05))


def hello() -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "hello", "cbi@example.com", "chris@example.com"
    message.set_content("hello")
    return message


def attempt(post: Office, **instead: Any) -> None:
    server = server_of(Settings(**{**post.settings, **instead}))
    assert server is not None
    asyncio.run(send(server, hello()))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_encrypted_with_a_login(tmp_path: Path, security: Any) -> None:
    with office(tmp_path, security) as post:
        attempt(post)
        assert [message["Subject"] for message in post.box.received] == ["hello"]
        assert post.box.logins == [True]


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ({"smtp_password": "wrong-pass"}, "login refused (535); see CBI_SMTP_USER and CBI_SMTP_PASSWORD"),
        ({"smtp_ca": None}, "its certificate is not trusted"),
        ({"smtp_host": "127.0.0.1"}, "its certificate is not trusted"),  # it is another name's
        ({"smtp_security": "tls"}, "no encryption: WRONG_VERSION_NUMBER"),
    ],
)
def test_what_a_server_refuses_is_told_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instead: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(smtp, "_TIMEOUT_S", 0.5)
    with office(tmp_path) as post:
        with pytest.raises((InfrastructureError, TransientError)) as refused:
            attempt(post, **instead)
        assert says in refused.value.line()
        assert PASSWORD not in refused.value.line()
        assert "wrong-pass" not in refused.value.line()
        assert post.box.received == []


@pytest.mark.parametrize(("security", "says"), [("starttls", "STARTTLS"), ("tls", "no encryption")])
def test_a_server_without_encryption_gets_nothing(tmp_path: Path, security: str, says: str) -> None:
    with office(tmp_path, "none", login=False) as post:
        with pytest.raises(InfrastructureError, match=says):
            attempt(post, smtp_security=security)
        assert post.box.received == []


def test_a_server_that_is_away_or_busy_is_worth_another_try_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    with office(tmp_path, "none", login=False) as post:
        post.box.answers += ["451 later", "554 no"]
        with pytest.raises(TransientError, match="451 later"):
            attempt(post)
        with pytest.raises(InfrastructureError, match="554 no"):
            attempt(post)
        post.close()
        with pytest.raises(TransientError, match="does not answer"):
            attempt(post)


def play(folder: Path, post: Office, scene: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    async def go() -> None:
        async with bench(folder, **{"mail_wait_s": 0.5, **post.settings, **settings}) as stage:
            await scene(stage)

    asyncio.run(go())


def alert(what: str = "palm is old", *, resolved: bool = False, **fields: Any) -> AlertRaised:
    told = {"condition": what, "severity": "info" if resolved else "warning", "since": AS_OF, "hint": "mend it"}
    return AlertRaised(
        **{"market": "zl", "source": "monitor--watch", "what": what, "resolved": resolved, **told, **fields}
    )


async def arrived(post: Office, count: int) -> list[EmailMessage]:
    async def enough() -> list[EmailMessage] | None:
        return post.box.received if len(post.box.received) >= count else None

    return list(await eventually(enough))


async def pass_of(stage: Bench, *, simulated: bool = True) -> Envelope[Any]:
    """Publish an export and return it: what it causes is of its world."""
    story = Story("pass")
    event = story.tell(exported(simulated=simulated), cause=story.request)
    await stage.bus.publish(event)
    return event


async def raise_alerts(stage: Bench, cause: Envelope[Any], *alerts: AlertRaised, tag: str = "") -> None:
    for number, data in enumerate(alerts):
        await stage.bus.publish(cause.caused(data, source="monitor", now=cause.time, discriminator=f"{tag}{number}"))


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_alerts_go_in_one_mail_once_and_their_end_in_another(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        cause = await pass_of(stage)
        await raise_alerts(stage, cause, alert("old news"), tag="before")
        await stage.start(add_mail, name="monitor")
        hostile = "<script>alert(1)</script>\nBcc: everybody@example.com"
        await raise_alerts(stage, cause, alert(), alert(hostile), alert("only for the log", severity="info"))
        (first,) = await arrived(post, 1)
        await stage.settled("EVENTS", "monitor--mail_alert")
        assert first["Subject"].startswith("[simulated] Soybean oil: ")
        assert first["Subject"].endswith(" and 1 more")
        assert first["To"] == "chris@example.com"
        assert "SIMULATED DATA" in text(first)
        assert "Simulated data" in text(first, "html")
        assert "palm is old" in text(first)
        assert "mend it" in text(first)
        assert "<script>" not in text(first, "html")
        assert "&lt;script&gt;" in text(first, "html")
        assert not any(line.startswith("Bcc:") for line in text(first).splitlines())
        assert "old news" not in text(first)
        assert "only for the log" not in text(first)
        await raise_alerts(stage, cause, alert(), tag="again")  # it lasts
        await raise_alerts(stage, cause, alert(resolved=True), tag="over")
        second = (await arrived(post, 2))[1]
        await stage.settled("EVENTS", "monitor--mail_alert")
        assert "OVER: palm is old" in text(second)
        assert len(post.box.received) == 2
        assert second["Message-ID"] != first["Message-ID"]
        await raise_alerts(stage, cause, alert(), tag="anew")
        assert "ALERT: palm is old" in text((await arrived(post, 3))[2])

    with office(tmp_path) as post:
        play(tmp_path, post, scene, mail_wait_s=3)  # two that are said at once must not be parted by a busy machine


def test_a_server_that_comes_back_gets_the_mail_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Bench) -> None:
        service = await stage.start(add_mail, name="monitor", policy=PATIENT)
        cause = await pass_of(stage, simulated=False)
        await raise_alerts(stage, cause, alert(), alert("crude is old"))
        book = MailBook(State(stage.bus))

        async def failed() -> bool | None:
            return (await book.read()).failed > 2 or None

        await eventually(failed)
        assert "does not answer" in (await book.read()).trouble
        assert service.ready
        post.open()
        (message,) = await arrived(post, 1)
        await stage.settled("EVENTS", "monitor--mail_alert")
        assert len(post.box.received) == 1
        assert "palm is old" in text(message)
        assert "crude is old" in text(message)
        assert "imulated" not in message.as_string()
        known = await book.read()
        assert (known.failed, known.trouble, known.mails, known.claims) == (0, "", (), {})
        assert await stage.dead(0) == []

    caplog.set_level(logging.DEBUG)
    post = Office(tmp_path, "none", login=False)
    try:
        play(tmp_path, post, scene, mail_wait_s=0.2)
    finally:
        post.close()
    assert "does not answer" in caplog.text


def test_a_login_that_is_refused_ends_as_a_dead_letter_that_can_be_replayed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(add_mail, name="monitor", policy=QUICK)
        cause = await pass_of(stage)
        await raise_alerts(stage, cause, alert())
        (letter,) = await stage.dead(1)
        assert "login refused (535)" in letter.reason
        post.box.password = "an0ther-pass"  # somebody has mended it
        await stage.journal.replay(letter.number)
        assert "palm is old" in text((await arrived(post, 1))[0])

    caplog.set_level(logging.DEBUG)
    with office(tmp_path) as post:
        play(tmp_path, post, scene, smtp_password="an0ther-pass", mail_wait_s=0)
    assert "an0ther-pass" not in caplog.text


def test_the_daily_mail_comes_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(add_mail, name="monitor")
        for event in Story().whole():
            await stage.bus.publish(event)
        request = await stage.publish(MailRequested(market="zl"), "due-1")
        await stage.settled("EVENTS", "monitor--mail_daily")
        await stage.bus.send(request.subject, request.to_json())  # without its id: the bus takes it for another
        await stage.settled("EVENTS", "monitor--mail_daily")
        (message,) = post.box.received
        assert message["Subject"].startswith("[simulated] Soybean oil")
        for row in ("1 week", "1 month", "3 months", "6 months", "12 months"):
            assert row in text(message)
            assert row in text(message, "html")
        assert message.get_content_type() == "multipart/alternative"
        await stage.publish(MailRequested(market="zl"), "due-2")
        again = (await arrived(post, 2))[1]
        assert "No new forecast" in text(again)

    with office(tmp_path) as post:
        play(tmp_path, post, scene, mail_wait_s=3600)  # the notices stay where they are


def test_another_signal_is_mailed_and_a_provisional_one_is_not(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(add_mail, name="monitor")
        story = Story("pass")
        events = story.whole()
        for event in events:
            await stage.bus.publish(event)
        await stage.settled("EVENTS", "monitor--mail_signal")
        (found,) = [event for event in events if isinstance(event.data, ForecastReady)]
        week = next(iter(found.data.forecasts))
        other = found.data.forecasts[week].model_copy(update={"signal": "WAIT"})
        changed = found.data.model_copy(update={"forecasts": {**found.data.forecasts, week: other}})
        await stage.bus.publish(story.tell(changed.model_copy(update={"provisional": True}), "early"))
        await stage.bus.publish(story.tell(changed, "later"))
        for handler in ("mail_signal", "mail_regime"):
            await stage.settled("EVENTS", f"monitor--{handler}")
        said = "\n".join(map(text, post.box.received))
        assert said.count("CHANGED: ") == 2
        assert "market state normal, was bull" in said
        assert "1 week WAIT, was MONITOR" in said

    with office(tmp_path, "none", login=False) as post:
        play(tmp_path, post, scene, mail_wait_s=0)


def test_nothing_is_sent_where_no_server_is_named(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(add_mail, name="monitor")
        await raise_alerts(stage, await pass_of(stage), alert())
        await stage.publish(MailRequested(market="zl"), "due")
        for handler in ("mail_alert", "mail_daily"):
            await stage.settled("EVENTS", f"monitor--{handler}")
        assert await State(stage.bus).keys("mail") == []

    with office(tmp_path) as post:
        nothing = dict.fromkeys(("smtp_host", "smtp_user", "smtp_password", "smtp_from"))
        play(tmp_path, post, scene, **{**nothing, "smtp_to": ()})
        assert post.box.received == []
