"""On what a person must know: a mail, once. Alerts, other signals and other states of the market wait for each other.

A mail is written down before it is sent and again after: what is killed in between sends it a second time under the
same Message-ID, by which mail servers and readers know it for the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from cbi_common.core.errors import CbiError, NotYet
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, MailRequested
from cbi_common.events.regime import RegimeDetected
from cbi_common.runtime import telemetry
from cbi_common.runtime.service import Kit, Outgoing
from monitor.adapters.letters import daily_letter, notices_letter
from monitor.adapters.past import Past
from monitor.adapters.smtp import LONGEST_S, Server, send, server_of
from monitor.domain.mail.daily import Post, compose
from monitor.domain.mail.known import known_at, origin_of
from monitor.domain.mail.notice import Notice, Origin, condition_of, of_alert, of_regime, of_signals
from monitor.domain.mail.outbox import Mail, Outbox, Signals, State
from monitor.mail_book import MailBook

_log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 2.0

_Step = Callable[[Outbox], Outbox]


class MailHandlers:
    """Load by key, work, save by key; nothing is sent where the settings name no mail server."""

    def __init__(self, kit: Kit, past: Past) -> None:
        self._book, self._clock, self._past = MailBook(kit.state), kit.clock, past
        for kind in ("daily", "notices"):
            for outcome in ("sent", "failed"):
                telemetry.MAILS.labels(kind, outcome)
        self._server, self._wait = server_of(kit.settings), timedelta(seconds=kit.settings.mail_wait_s)

    async def mail_alert(self, event: Envelope[AlertRaised]) -> Sequence[Outgoing]:
        """Tell of an alert when its condition begins, and once when it is over."""
        alert = event.data
        if self._server is None or (alert.severity == "info" and not alert.resolved):
            return []
        origin = origin_of(await self._past.data(), alert.market, event.correlationid)
        name, now = f"{origin.key}/{condition_of(alert)}", self._clock()

        def step(outbox: Outbox) -> Outbox:
            if alert.resolved:
                if name not in outbox.told:
                    return outbox.finished(event.id)
                return outbox.without_told(name).with_notice(event.id, of_alert(alert), origin, now)
            if not outbox.tells(name, alert.since, now, lasts=bool(alert.condition)):
                return outbox.finished(event.id)
            return outbox.with_told(name, alert.since, now).with_notice(event.id, of_alert(alert), origin, now)

        return await self._tell(event, step, self._server)

    async def mail_signal(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Tell when a final forecast has another signal than the one before it."""
        found = event.data
        if self._server is None or found.provisional:
            return []
        origin = origin_of(await self._past.data(), found.market, event.correlationid)
        origin = origin.model_copy(update={"simulated": found.simulated})
        now = self._clock()
        said = {horizon: forecast.signal for horizon, forecast in found.forecasts.items()}
        signals = Signals(as_of=found.as_of, at=event.time, signals=said)

        def step(outbox: Outbox) -> Outbox:
            known, before = outbox.with_signals(origin.key, signals)
            notice = of_signals(before, found.forecasts, origin, found.as_of.isoformat())
            return _noted(known, event.id, notice, origin, now)

        return await self._tell(event, step, self._server)

    async def mail_regime(self, event: Envelope[RegimeDetected]) -> Sequence[Outgoing]:
        """Tell when the market is in another state than when that was last looked at."""
        found = event.data
        if self._server is None:
            return []
        origin = origin_of(await self._past.data(), found.market, event.correlationid)
        now = self._clock()
        state = State(as_of=found.as_of, at=event.time, state=found.state)

        def step(outbox: Outbox) -> Outbox:
            known, told = outbox.with_state(origin.key, state)
            before = found.previous_state if told is None else told
            notice = None if before is None or before == found.state else of_regime(before, found)
            return _noted(known, event.id, notice, origin, now)

        return await self._tell(event, step, self._server)

    async def mail_daily(self, event: Envelope[MailRequested]) -> Sequence[Outgoing]:
        """Send the daily page."""
        market, now = event.data.market, self._clock()
        if self._server is None:
            _log.warning("no daily mail: CBI_SMTP_HOST is not set")
            return []
        outbox = await self._book.read()
        if outbox.knows(event.id):
            return []
        runs, since = await self._past.everything(), outbox.daily.get(market)
        then = None if since is None else known_at(runs, market, since)
        post = Post(tuple(await self._past.dead_letters()), outbox.failed, outbox.trouble)
        page = compose(known_at(runs, market), then, since, now, post)
        mail_id = derived_id(event.id, "mail", "daily")
        letter = daily_letter(page, self._server, mail_id, event.time)

        def sent(box: Outbox) -> Outbox:
            return box.model_copy(update={"daily": {**box.daily, market: now}}).finished(event.id)

        await self._send("daily", mail_id, letter, self._server, sent)
        return []

    async def _tell(self, event: Envelope[Any], step: _Step, server: Server) -> list[Outgoing]:
        """Take an event in, wait for others, and send the mail that it is in."""
        outbox = await self._book.change(lambda box: box if box.knows(event.id) else step(box))
        mail = outbox.mail_of(event.id)
        if mail is None:
            return []
        left = mail.since + self._wait - self._clock()
        if mail.sealed is None and left > timedelta():
            raise NotYet("others may go in the same mail", delay_s=left / timedelta(seconds=1))
        await self._send_notices(await self._sealed(mail, event.id), server)
        return []

    async def _sealed(self, mail: Mail, event_id: str) -> Mail:
        now = self._clock()

        def seal(box: Outbox) -> Outbox:
            newest = box.mail_of(event_id)  # another event may have joined it since it was read
            return box if newest is None else box.sealed(newest, now)

        return (await self._book.change(seal)).mail_of(event_id) or mail

    async def _send_notices(self, mail: Mail, server: Server) -> None:
        at = mail.sealed or self._clock()
        letter = notices_letter(list(mail.notices.values()), mail.origin, server, mail.mail_id, at)
        await self._send("notices", mail.mail_id, letter, server, lambda box: box.without(mail))

    async def _send(self, kind: str, mail_id: str, letter: EmailMessage, server: Server, sent: _Step) -> None:
        if not await self._claimed(mail_id):
            return
        try:
            refused = await send(server, letter)
        except CbiError as error:
            why = error.line()
            telemetry.MAILS.labels(kind, "failed").inc()
            await self._book.change(lambda box: box.after_failure(mail_id, why))
            raise
        await self._book.change(lambda box: sent(box.after_success(mail_id)))
        telemetry.MAILS.labels(kind, "sent").inc()
        _log.info("mail sent: %s", letter["Subject"])
        if refused:
            _log.warning("the mail server refused %s", ", ".join(refused))

    async def _claimed(self, mail_id: str) -> bool:
        """Make sure that nobody else sends it now; return False when somebody has."""
        now = self._clock()
        until = now + timedelta(seconds=LONGEST_S)

        def claim(box: Outbox) -> Outbox:
            if now < box.claims.get(mail_id, now):
                raise NotYet("it is being sent", delay_s=_LOOK_AGAIN_S)
            return box if mail_id in box.sent else box.claimed(mail_id, until)

        return mail_id not in (await self._book.change(claim)).sent


def _noted(outbox: Outbox, event_id: str, notice: Notice | None, origin: Origin, now: datetime) -> Outbox:
    return outbox.finished(event_id) if notice is None else outbox.with_notice(event_id, notice, origin, now)
