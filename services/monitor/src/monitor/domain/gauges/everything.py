"""All of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.reporting.projection import Runs
from monitor.domain.conditions import Book
from monitor.domain.gauges import bus, forecasts, passes, promotions, tables, watched
from monitor.domain.gauges.family import Family, Shown
from monitor.domain.mail.outbox import Outbox

OBSERVED = Family("cbi_observed_timestamp_seconds", "When everything below was looked at last")
FAMILIES: tuple[Family, ...] = (
    OBSERVED,
    *(family for part in (bus, passes, forecasts, watched, tables, promotions) for family in part.FAMILIES),
)


@dataclass(frozen=True)
class Facts:
    """What is known at a moment.

    Attributes
    ----------
    now : when
    market : the market of the settings, spoken of before anything ran
    runs : every event that is kept
    ledger : what is kept for ever, oldest first
    worlds : run id to its world
    books : market and world to the monitor's book
    outbox : what is waiting to be mailed
    queues, sizes, letters : consumers, streams, and the consumer of each dead letter
    disk : room where the lake lies, None where it lies in a bucket
    """

    now: datetime
    market: str
    runs: Runs
    ledger: Sequence[Envelope[Any]]
    worlds: Mapping[str, str]
    books: Mapping[tuple[str, str], Book]
    outbox: Outbox
    queues: Sequence[bus.Queue]
    sizes: Sequence[bus.Size]
    letters: Sequence[str]
    disk: bus.Disk | None


def everything(facts: Facts) -> Shown:
    """Yield every series that follows from the facts."""
    runs, now = facts.runs, facts.now
    passed = runs.all()
    markets = sorted({facts.market, *map(passes.market_of, passed)})
    shown = list(forecasts.of_forecasts(runs))
    yield OBSERVED.of(value=now.timestamp())
    yield from bus.of_queues(facts.queues, facts.letters, now)
    yield from bus.of_room(facts.sizes, facts.disk)
    yield from bus.of_mails(facts.outbox)
    yield from passes.of_runs(passed, markets, now)
    yield from shown
    yield from forecasts.of_scores(runs)
    yield from forecasts.of_regimes(runs)
    yield from watched.of_books(facts.books)
    yield from watched.of_people(runs, markets, now)
    yield from tables.of_tables(runs)
    yield from promotions.of_gates(runs)
    served = {(market, world) for family, (market, world, *_), _ in shown if family is forecasts.PROVISIONAL}
    yield from promotions.of_ledger(facts.ledger, served, facts.worlds, now)
