"""What the monitor has found: open conditions, how near each statistic is to its limit, alerts, drifts, retrains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from cbi_common.events.data import DataRequested
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.reporting.projection import Runs
from monitor.domain.conditions import Book
from monitor.domain.gauges.family import Family, Shown
from monitor.domain.gauges.passes import RECENT

KINDS = (
    "performance", "direction", "coverage", "regime_failure", "feature", "correlation", "importance", "regime", "stale",
    "frozen", "rejected",
)  # fmt: skip
"""First part of a condition's name."""
_DRIFTS = ("performance", "feature", "importance", "correlation", "regime")
_SEVERITIES = ("info", "warning", "critical")

OPEN = Family("cbi_open_conditions", "Conditions that were raised and are not over", ("market", "world", "kind"))
SCORE = Family(
    "cbi_drift_score_ratio",
    "A statistic of the monitor over the limit beyond which it counts as drift",
    ("market", "world", "kind", "where"),
)
ALERTS = Family("cbi_recent_alerts", "Alerts of the last seven days, without those of an end", ("market", "severity"))
DRIFTS = Family("cbi_recent_drifts", "Drifts of the last seven days", ("market", "kind"))
RETRAINS = Family("cbi_recent_retrains", "Retrains of the last seven days that a drift asked for", ("market",))
FAMILIES = (OPEN, SCORE, ALERTS, DRIFTS, RETRAINS)


def of_books(books: Mapping[tuple[str, str], Book]) -> Shown:
    """Yield what the books say; a kind with nothing open has 0."""
    for where, book in books.items():
        counts = Counter(name.partition("/")[0] for name in book.open)
        for kind in sorted({*KINDS, *counts}):
            yield OPEN.of(*where, kind, value=counts[kind])
        for name, ratio in book.scores.items():
            kind, _, place = name.partition("/")
            yield SCORE.of(*where, kind, place, value=ratio)


def of_people(runs: Runs, markets: Iterable[str], now: datetime) -> Shown:
    """Yield how much there was to tell of late."""
    alerts: Counter[tuple[str | None, str]] = Counter(
        (event.data.market, event.data.severity)
        for event in runs.of(AlertRaised)
        if now - event.time <= RECENT and not event.data.resolved
    )
    drifts: Counter[tuple[str, str]] = Counter(
        (event.data.market, event.data.kind) for event in runs.of(DriftDetected) if now - event.time <= RECENT
    )
    retrains = Counter(
        event.data.market
        for event in runs.of(DataRequested)
        if now - event.time <= RECENT and event.causationid is not None and event.data.refit
    )
    for market in markets:
        for severity in _SEVERITIES:
            yield ALERTS.of(market, severity, value=alerts[market, severity])
        for kind in _DRIFTS:
            yield DRIFTS.of(market, kind, value=drifts[market, kind])
        yield RETRAINS.of(market, value=retrains[market])
    for severity in _SEVERITIES:
        yield ALERTS.of("", severity, value=alerts[None, severity])
