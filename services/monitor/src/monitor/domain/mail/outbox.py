"""What was told to people and what is waiting to be told: one value in the shared state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import derived_id
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract
from cbi_common.events.forecast import Signal
from monitor.domain.mail.notice import Notice, Origin

_REMEMBERED = 500
"""Events that are known to be dealt with; one is delivered again within minutes, not after as many others."""

_REPEATED_AFTER = timedelta(days=7)
"""An alert of what happened once is told again when it has happened again after that."""

_COMPARED_FOR = timedelta(days=14)
"""A signal is compared with one of a forecast that is at most so much older: a change is news, a restart is none."""

_KEPT_FOR = timedelta(days=30)
"""How long a mail that could not be sent is kept for `cbi dead replay`."""


class Told(Contract):
    """When an alert was told, and since when what it tells of had held."""

    at: datetime
    since: date | None


class Looked(Contract):
    """When something was looked at: as of which day, and when that was said."""

    as_of: date
    at: datetime

    def before(self, other: Looked) -> bool:
        """Whether the other is newer, or the same."""
        return (self.as_of, self.at) <= (other.as_of, other.at)


class Signals(Looked):
    """Signals of the newest forecast."""

    signals: dict[Horizon, Signal]


class State(Looked):
    """State of the market at the newest day it was called."""

    state: Regime


class Mail(Contract):
    """Notices that go together, by the event that each comes from."""

    origin: Origin
    since: datetime
    """When the first one came."""
    notices: dict[str, Notice]
    sealed: datetime | None = None
    """When it was first to be sent: nothing is added from then on, so that a second attempt is the same mail."""

    @property
    def mail_id(self) -> str:
        """Return what the mail is known by; equal for equal events."""
        return derived_id("mail", "notices", " ".join(sorted(self.notices)))


class Outbox(Contract):
    """Everything that is remembered of mails."""

    done: tuple[str, ...] = ()
    """Ids of events that need nothing more."""
    sent: tuple[str, ...] = ()
    """Ids of mails."""
    mails: tuple[Mail, ...] = ()
    claims: dict[str, datetime] = {}
    """Mail that somebody is sending to when that attempt has failed if nothing has been heard of it."""
    told: dict[str, Told] = {}
    """Market, world and condition of the alerts that were told."""
    signals: dict[str, Signals] = {}
    states: dict[str, State] = {}
    daily: dict[str, datetime] = {}
    """Market to the time of its last daily mail."""
    failed: int = 0
    """Attempts that failed since the last success."""
    trouble: str = ""
    """Why the last one failed."""

    def mail_of(self, event_id: str) -> Mail | None:
        """Return the mail that an event waits in."""
        return next((mail for mail in self.mails if event_id in mail.notices), None)

    def knows(self, event_id: str) -> bool:
        """Whether an event has been taken in before."""
        return event_id in self.done or self.mail_of(event_id) is not None

    def finished(self, *event_ids: str) -> Outbox:
        """Return it with events that need nothing more."""
        return self.model_copy(update={"done": (*self.done, *event_ids)[-_REMEMBERED:]})

    def with_notice(self, event_id: str, notice: Notice, origin: Origin, now: datetime) -> Outbox:
        """Return it with a notice in the open mail of its market and world."""
        kept = [mail for mail in self.mails if now - mail.since < _KEPT_FOR]
        for place, mail in enumerate(kept):
            if mail.sealed is None and mail.origin.key == origin.key:
                kept[place] = mail.model_copy(update={"notices": {**mail.notices, event_id: notice}})
                break
        else:
            kept.append(Mail(origin=origin, since=now, notices={event_id: notice}))
        return self.model_copy(update={"mails": tuple(kept)})

    def tells(self, name: str, since: date | None, now: datetime, *, lasts: bool) -> bool:
        """Whether an alert is news; ``lasts``: it names a condition that holds until its end is told."""
        known = self.told.get(name)
        if known is None:
            return True
        return since != known.since if lasts else now - known.at >= _REPEATED_AFTER

    def with_told(self, name: str, since: date | None, now: datetime) -> Outbox:
        """Return it with an alert that is told now."""
        kept = [item for item in self.told.items() if item[0] != name][-_REMEMBERED + 1 :]
        return self.model_copy(update={"told": dict([*kept, (name, Told(at=now, since=since))])})

    def without_told(self, name: str) -> Outbox:
        """Return it without an alert whose condition is over."""
        return self.model_copy(update={"told": {key: told for key, told in self.told.items() if key != name}})

    def with_signals(self, key: str, signals: Signals) -> tuple[Outbox, dict[Horizon, Signal]]:
        """Return it with newer signals, and those to compare them with; neither when they are not the newest."""
        known = self.signals.get(key)
        if known is not None and not known.before(signals):
            return self, {}
        changed = self.model_copy(update={"signals": {**self.signals, key: signals}})
        return changed, known.signals if known is not None and _comparable(known, signals) else {}

    def with_state(self, key: str, state: State) -> tuple[Outbox, Regime | None]:
        """Return it with a newer state of the market, and the one before; neither when it is not the newest."""
        known = self.states.get(key)
        if known is not None and not known.before(state):
            return self, state.state
        changed = self.model_copy(update={"states": {**self.states, key: state}})
        return changed, known.state if known is not None and _comparable(known, state) else None

    def claimed(self, mail_id: str, until: datetime) -> Outbox:
        """Return it with a mail that the caller sends now."""
        return self.model_copy(update={"claims": {**self.claims, mail_id: until}})

    def sealed(self, mail: Mail, now: datetime) -> Outbox:
        """Return it with a mail that nothing is added to any more."""
        return self._replaced(mail, lambda m: m if m.sealed else m.model_copy(update={"sealed": now}))

    def after_failure(self, mail_id: str, why: str) -> Outbox:
        """Return it after an attempt that failed."""
        return self._released(mail_id).model_copy(update={"failed": self.failed + 1, "trouble": why[:500]})

    def after_success(self, mail_id: str) -> Outbox:
        """Return it after an attempt that succeeded."""
        sent = (*self.sent, mail_id)[-_REMEMBERED:]
        return self._released(mail_id).model_copy(update={"sent": sent, "failed": 0, "trouble": ""})

    def without(self, mail: Mail) -> Outbox:
        """Return it without a mail that was sent; its events need nothing more."""
        rest = tuple(other for other in self.mails if other.mail_id != mail.mail_id)
        return self.model_copy(update={"mails": rest}).finished(*mail.notices)

    def _replaced(self, mail: Mail, change: Callable[[Mail], Mail]) -> Outbox:
        changed = tuple(change(m) if m.mail_id == mail.mail_id else m for m in self.mails)
        return self.model_copy(update={"mails": changed})

    def _released(self, mail_id: str) -> Outbox:
        return self.model_copy(update={"claims": {key: at for key, at in self.claims.items() if key != mail_id}})


def _comparable(known: Looked, found: Looked) -> bool:
    return found.as_of - known.as_of <= _COMPARED_FOR
