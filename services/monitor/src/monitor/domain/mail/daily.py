"""The daily page in words and figures: what to do, what is expected, why, what has changed, whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import HorizonExplanation
from cbi_common.events.forecast import HorizonForecast
from cbi_common.reporting.tables import chance, number, percent
from cbi_common.timeseries.calendar import session_number
from monitor.domain.mail.changes import changes
from monitor.domain.mail.health import Line, health
from monitor.domain.mail.known import Known
from monitor.domain.mail.notice import Origin

EXCHANGE = ZoneInfo("America/Chicago")

_OLD_SESSIONS = 2
"""In the morning the newest close is one session old; one more may still be loading."""

_TOP_GROUPS = 3
_HEARD = 0.005


@dataclass(frozen=True)
class Row:
    """One horizon."""

    name: str
    target: str
    signal: str
    current: str
    point: str
    move: str
    lower: str
    upper: str
    no_change: str
    sure: str
    record: str


@dataclass(frozen=True)
class Why:
    """Reasons of one horizon's forecast."""

    name: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Daily:
    """Everything that the mail shows."""

    origin: Origin
    subject: str
    day: str
    freshness: str
    old: bool
    state: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    why: tuple[Why, ...]
    changed: tuple[str, ...]
    health: tuple[Line, ...]


@dataclass(frozen=True)
class Post:
    """What the mail itself has to say of messages."""

    given_up: tuple[datetime, ...] = ()
    """When messages that were given up had been published."""
    failed: int = 0
    """Attempts to send a mail that failed since one succeeded."""
    trouble: str = ""


def compose(now_known: Known, then_known: Known | None, since: datetime | None, now: datetime, post: Post) -> Daily:
    """Return the page.

    Parameters
    ----------
    now_known : Known
    then_known : Known or None
        What was known when the last one was sent, None for the first.
    since : datetime or None
        When that was.
    now : datetime
    post : Post
    """
    event = now_known.forecast
    today = now.astimezone(EXCHANGE).date()
    age = None if event is None else _age(event.data.as_of, today)
    forecasts = {} if event is None else {h: event.data.forecasts[h] for h in Horizon if h in event.data.forecasts}
    explanation = now_known.run.explanation if now_known.run is not None else None
    explained = {} if explanation is None else explanation.data.explanations
    return Daily(
        origin=now_known.origin,
        subject=_subject(now_known.origin, forecasts, today, age),
        day=f"{today:%A %-d %B %Y}",
        freshness=_freshness(now_known, age),
        old=age is None or age > _OLD_SESSIONS,
        state=_state(now_known),
        rows=tuple(_row(horizon, found) for horizon, found in forecasts.items()),
        missing=() if event is None else tuple(f"{h.words}: {why}" for h, why in event.data.missing.items()),
        why=tuple(Why(h.words, _sentences(explained[h], now_known.origin.unit)) for h in forecasts if h in explained),
        changed=changes(now_known, then_known, since),
        health=health(now_known, since, now, age, _OLD_SESSIONS) + _post(post, since),
    )


def _age(as_of: date, today: date) -> int:
    return session_number(today) - session_number(as_of)


def _subject(origin: Origin, forecasts: dict[Horizon, HorizonForecast], today: date, age: int | None) -> str:
    if not forecasts:
        return f"{origin.title}, {today:%-d %b}: no forecast"
    said: dict[str, list[str]] = {}
    for horizon, found in forecasts.items():
        said.setdefault(found.signal, []).append(str(horizon))
    signals = "; ".join(
        f"{signal} {', '.join(said[signal])}" for signal in ("BUY", "WAIT", "MONITOR") if signal in said
    )
    current = next(iter(forecasts.values())).current
    old = f" (data {age} sessions old)" if age is not None and age > _OLD_SESSIONS else ""
    return f"{origin.title}, {today:%-d %b}: {signals}, at {number(current)} {origin.unit}".rstrip() + old


def _freshness(known: Known, age: int | None) -> str:
    event = known.forecast
    if event is None or age is None:
        return "There is no forecast yet."
    computed = event.time.astimezone(EXCHANGE)
    ended = {0: "today's close", 1: "the last close"}.get(age, f"{age} sessions ago")
    text = f"Data to {event.data.as_of:%A %-d %B %Y} ({ended}), computed {computed:%-d %B %H:%M} Chicago."
    return text + (" This is not a forecast of today." if age > _OLD_SESSIONS else "")


def _state(known: Known) -> str:
    regime = None if known.run is None else known.run.regime
    if regime is None:
        return ""
    sure = chance(regime.data.probabilities.get(regime.data.state))
    since = f", since {regime.data.since}" if regime.data.since else ""
    return f"{regime.data.state} ({sure} sure{since})"


def _row(horizon: Horizon, found: HorizonForecast) -> Row:
    return Row(
        name=horizon.words,
        target=f"{found.target_date:%-d %b %Y}",
        signal=found.signal,
        current=number(found.current),
        point=number(found.point),
        move=percent(found.point / found.current - 1, signed=True),
        lower=number(found.lower_90),
        upper=number(found.upper_90),
        no_change=number(found.no_change),
        sure=chance(found.probability_up),
        record=percent(found.metrics.skill, signed=True),
    )


def _sentences(found: HorizonExplanation, unit: str) -> tuple[str, ...]:
    if found.why:
        return found.why[1:] or found.why  # what the first one says stands in the table
    largest = sorted(found.groups.items(), key=lambda item: (-abs(item[1]), item[0]))[:_TOP_GROUPS]
    parts = [
        f"{name.replace('_', ' ')} {number(share, signed=True)}" for name, share in largest if abs(share) >= _HEARD
    ]
    return (f"In {unit or 'the unit of the price'}: {', '.join(parts)}." if parts else "No driver moves it.",)


def _post(post: Post, since: datetime | None) -> tuple[Line, ...]:
    fresh = sum(since is None or at > since for at in post.given_up)
    total = f"{len(post.given_up)}, {fresh} since the last mail; see `cbi dead list`" if post.given_up else "none"
    given_up = Line("Messages given up", total, fresh > 0)
    if not post.failed:
        return (given_up,)
    return given_up, Line("Mail", f"{post.failed} attempts failed before this one: {post.trouble}", bad=True)
