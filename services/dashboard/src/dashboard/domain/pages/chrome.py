"""What every page shows around its own content: whose numbers these are, how old, and whether to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from cbi_common.events.base import Envelope
from cbi_common.markets.units import UnitName, units_of
from cbi_common.reporting.projection import Run
from dashboard.domain.answers import Origin
from dashboard.domain.known import Known
from dashboard.domain.money import MARKET_UNIT, Money

_OLD_AFTER_DAYS = 4
"""A long weekend; older data means that a trading day is missing."""


class Page(NamedTuple):
    """A page of the navigation."""

    name: str
    path: str
    title: str


PAGES = (
    Page("today", "/", "Today"),
    Page("why", "/why", "Why"),
    Page("regime", "/regime", "Regime"),
    Page("decisions", "/decisions", "Decisions"),
    Page("track", "/track", "Track record"),
    Page("models", "/models", "Models"),
    Page("data", "/data", "Data"),
    Page("runs", "/runs", "Runs"),
)


class Choice(NamedTuple):
    """A link of a row of links, one of which is where the reader is."""

    name: str
    address: str
    current: bool


@dataclass(frozen=True)
class Chrome:
    """The frame around a page's content."""

    page: str
    title: str
    simulated: bool
    freshness: str
    old: bool
    lost: str
    """What to know when the bus does not answer; empty while it does."""
    market: str = ""
    money: Money = MARKET_UNIT
    units: tuple[Choice, ...] = ()


class Traced(NamedTuple):
    """A figure and the address of what it came from."""

    text: str
    source: str


def source_of(run: Run, event: Envelope[Any]) -> str:
    """Return the address of an event on the page of its run."""
    return f"/runs/{run.correlation_id}#{anchor(event)}"


def anchor(event: Envelope[Any]) -> str:
    """Return the name of an event on the page of its run."""
    return f"e-{event.id}"


def chrome(page: str, title: str, known: Known, origin: Origin | None, unit: UnitName = "market") -> Chrome:
    """Return the frame of a page whose numbers come from ``origin``."""
    if origin is None:
        return Chrome(page, title, False, "", False, _lost(known.lost, known.reading))
    path = next(p.path for p in PAGES if p.name == page)
    links = tuple(Choice(u.label, f"{path}?unit={u.name}", u.name == unit) for u in units_of(origin.unit))
    return Chrome(
        page=page,
        title=title,
        simulated=bool(origin.simulated),
        freshness=freshness(origin),
        old=origin.age_days > _OLD_AFTER_DAYS or origin.newer_run is not None,
        lost=_lost(known.lost, known.reading),
        market=origin.title,
        money=Money.of(origin.unit, unit),
        units=links if len(links) > 1 else (),
    )


def freshness(origin: Origin) -> str:
    """Return how old the numbers are, and whether a newer run failed to replace them."""
    days = origin.age_days
    age = "today" if days == 0 else f"{days} day{'s' if days != 1 else ''} ago"
    text = f"Data to {origin.as_of.isoformat()} ({age}); computed {origin.published:%Y-%m-%d %H:%M} UTC."
    if days > _OLD_AFTER_DAYS:
        text += " This is not a forecast made today."
    if origin.newer_run is None:
        return text
    state = origin.newer_run.reason or f"it is at {origin.newer_run.stage}"
    return f"{text} A newer run has not replaced it: {state}."


def _lost(since: datetime | None, reading: bool) -> str:
    if since is not None:
        return f"The bus does not answer since {since:%Y-%m-%d %H:%M} UTC: there may be newer events than these."
    return "The events are still being read: this is not all of them yet." if reading else ""
