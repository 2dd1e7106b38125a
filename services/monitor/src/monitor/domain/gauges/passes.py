"""Runs: how the newest stands, how those of the last week ended, how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from cbi_common.events.training import ModelFailed
from cbi_common.reporting.projection import Run
from monitor.domain.gauges.family import Family, Shown

RECENT = timedelta(days=7)

Outcome = Literal["open", "provisional", "done", "incomplete", "rejected", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("open", "provisional", "done", "incomplete", "rejected", "failed")

NEWEST = Family("cbi_newest_run", "1 for how the newest run of a market stands", ("market", "outcome"))
RECENT_RUNS = Family("cbi_recent_runs", "Runs of the last seven days by how they stand", ("market", "outcome"))
OPEN_SECONDS = Family("cbi_open_run_seconds", "Age of a market's newest run; 0: it has ended", ("market",))
SECONDS = Family(
    "cbi_run_seconds", "From the first event to the final forecast in the newest finished run", ("market", "profile")
)
MODELS = Family("cbi_run_models", "Results of the newest run that trains", ("market", "device", "outcome"))
FAMILIES = (NEWEST, RECENT_RUNS, OPEN_SECONDS, SECONDS, MODELS)


def market_of(run: Run) -> str:
    """Return the market that a run is about."""
    return next(str(event.data.market) for event in run.events if getattr(event.data, "market", None))


def outcome_of(run: Run) -> Outcome:
    """Return how a run stands; one that ended well in spite of a critical alert has ended well."""
    if run.rejected is not None:
        return "rejected"
    if run.complete and run.forecast is not None:
        return "incomplete" if run.forecast.data.missing else "done"
    if run.critical is not None:
        return "failed"
    return "provisional" if run.forecast is not None and run.forecast.data.provisional else "open"


def of_runs(runs: Sequence[Run], markets: Iterable[str], now: datetime) -> Shown:
    """Yield what runs tell.

    Parameters
    ----------
    runs : sequence of Run
        Oldest first.
    markets : iterable of str
        Markets to speak of, even if nothing ran.
    now : datetime
    """
    for market in markets:
        own = [run for run in runs if market_of(run) == market]
        counts = Counter(outcome_of(run) for run in own if now - run.started <= RECENT)
        newest = own[-1] if own else None
        stands = None if newest is None else outcome_of(newest)
        for outcome in OUTCOMES:
            yield RECENT_RUNS.of(market, outcome, value=counts[outcome])
            yield NEWEST.of(market, outcome, value=stands == outcome)
        waits = newest is not None and stands in ("open", "provisional")
        yield OPEN_SECONDS.of(market, value=(now - newest.started).total_seconds() if newest and waits else 0)
        yield from _seconds(market, own)
        yield from _models(market, [run for run in own if run.planned])


def _seconds(market: str, runs: Sequence[Run]) -> Shown:
    taken = {
        run.export.data.profile: (run.forecast.time - run.started).total_seconds()
        for run in runs
        if run.complete and run.export and run.forecast
    }
    for profile, seconds in taken.items():
        yield SECONDS.of(market, str(profile), value=seconds)


def _models(market: str, runs: Sequence[Run]) -> Shown:
    for newest in runs[-1:]:
        found: Counter[tuple[str, str]] = Counter()
        for planned in newest.planned:
            result = newest.results.get((planned.model_id, planned.horizon))
            ended = "awaited" if result is None else "failed" if isinstance(result, ModelFailed) else result.status
            found[planned.device, ended] += 1
        for device in sorted({device for device, _ in found}):
            for outcome in ("trained", "cached", "failed", "awaited"):
                yield MODELS.of(market, device, outcome, value=found[device, outcome])
