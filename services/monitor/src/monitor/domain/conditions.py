"""Which conditions are open, and how a check opens and closes them: a pure step from one book to the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cbi_common.events.base import Contract
from monitor.domain.finding import Finding
from monitor.domain.rules import ConditionRules

_REMEMBERED = 40
"""Answers and retrains that the book keeps; a message is delivered again within minutes, not after as many others."""


class Condition(Contract):
    """A condition that was raised and is not over."""

    scope: str
    """Which check looks for it: what one check does not find is not over for another."""
    where: str
    what: str
    since: date
    met: int
    """Session as of which it was met last."""


class Retrain(Contract):
    """A retrain that a drift was granted."""

    session: int
    """As of which the models were to be fitted."""
    day: date
    """On which it was asked for."""
    cause: str
    """Id of the drift."""


class Book(Contract):
    """What the monitor remembers of one market in one world, the real or the simulated one."""

    newest: dict[str, int] = {}
    """Scope to the newest session it was checked as of."""
    open: dict[str, Condition] = {}
    retrains: tuple[Retrain, ...] = ()
    scores: dict[str, float] = {}
    """``kind/where`` to how near a statistic was to its limit when it was last looked at: 1 is the limit."""
    held: dict[str, int] = {}
    """Condition whose retrain was held back to the session as of which that was."""
    answers: dict[str, tuple[dict[str, Any], ...]] = {}
    """Id of an event to what was answered to it, as it was: the same event again is answered alike."""

    def answered(self, event_id: str, answers: Sequence[dict[str, Any]]) -> Book:
        """Return the book with one more answer."""
        kept = list(self.answers.items())[-_REMEMBERED + 1 :]
        return self.model_copy(update={"answers": dict([*kept, (event_id, tuple(answers))])})

    def scored(self, scores: Mapping[str, float], kinds: Collection[str]) -> Book:
        """Return the book with the scores of these kinds replaced."""
        kept = {name: ratio for name, ratio in self.scores.items() if name.partition("/")[0] not in kinds}
        return self.model_copy(update={"scores": kept | dict(scores)})

    def granted(self, retrain: Retrain) -> Book:
        """Return the book with one more retrain, which all that was held back has waited for."""
        return self.model_copy(update={"retrains": (*self.retrains[-_REMEMBERED + 1 :], retrain), "held": {}})


class Checked(NamedTuple):
    """What a check led to."""

    book: Book
    begun: list[Finding]
    over: dict[str, Condition]


def check(book: Book, scope: str, session: int, findings: Iterable[Finding], rules: ConditionRules) -> Checked:
    """Open what is found and was not open; close what has not been found for long enough.

    A check as of an older session than the newest one of its scope says nothing of today: it changes nothing.

    Parameters
    ----------
    book : Book
    scope : str
    session : int
        As of which was checked.
    findings : iterable of Finding
        Conditions that hold.
    rules : ConditionRules
    """
    if session < book.newest.get(scope, session):
        return Checked(book, [], {})
    found = {finding.condition: finding for finding in findings}
    begun = [finding for name, finding in found.items() if name not in book.open]
    over = {
        name: condition
        for name, condition in book.open.items()
        if condition.scope == scope and name not in found and session - condition.met > rules.quiet(name)
    }
    still = {
        name: condition.model_copy(update={"met": session}) if name in found else condition
        for name, condition in book.open.items()
        if name not in over
    }
    opened = {
        f.condition: Condition(scope=scope, where=f.where, what=f.what, since=f.since, met=session) for f in begun
    }
    changed = {
        "newest": {**book.newest, scope: session},
        "open": {**still, **opened},
        "held": {name: since for name, since in book.held.items() if name not in over},
    }
    return Checked(book.model_copy(update=changed), begun, over)
