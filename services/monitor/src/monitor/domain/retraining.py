"""Whether a drift may lead to a retrain now: a cool-down and a daily limit keep a storm of them away."""

from __future__ import annotations

from datetime import date
from typing import Literal

from monitor.domain.conditions import Book
from monitor.domain.rules import RetrainingRules

Decision = Literal["retrain", "done", "cool_down", "day_limit"]


def decide(book: Book, *, session: int, day: date, rules: RetrainingRules) -> Decision:
    """Return what is to become of a drift that asks for a retrain.

    Parameters
    ----------
    book : Book
    session : int
        As of which it was seen.
    day : date
        Today.
    rules : RetrainingRules

    Returns
    -------
    Decision
        ``done``: a retrain as of that session or a later one has been asked for, and has all that this one could learn
        from. ``cool_down``, ``day_limit``: not now.
    """
    newest = max((retrain.session for retrain in book.retrains), default=None)
    if newest is not None and newest >= session:
        return "done"
    if newest is not None and session - newest < rules.cool_down_sessions:
        return "cool_down"
    if sum(retrain.day == day for retrain in book.retrains) >= rules.per_day:
        return "day_limit"
    return "retrain"


def due_again(book: Book, session: int, rules: RetrainingRules) -> frozenset[str]:
    """Return the conditions whose retrain was held back, and that may ask again as of ``session``."""
    newest = max((retrain.session for retrain in book.retrains), default=None)
    if newest is not None and session - newest < rules.cool_down_sessions:
        return frozenset()
    return frozenset(name for name, held in book.held.items() if name in book.open and session > held)
