"""Gates, champion, challenger in the shadow, and what the ledger says of promotions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.promotion import GatesJudged, ModelPromoted, ModelShadowed, PromotionRejected
from cbi_common.reporting.projection import Runs
from monitor.domain.gauges.family import Family, Shown, world_of

_WHERE = ("market", "world", "horizon")
_OUTCOMES = ("promoted", "rolled back", "rejected")
_SILENT = timedelta(days=14)
"""A comparison that has said nothing for so long was ended, which leaves no event."""

GATE = Family("cbi_gate_passed", "Whether the newest candidate passed a gate", (*_WHERE, "policy", "gate"))
PROMOTIONS = Family(
    "cbi_promotions_total", "Decisions in the ledger by outcome", ("market", "world", "outcome"), "counter"
)
CHAMPION = Family("cbi_champion_info", "1 for what serves others; model none: nothing was promoted yet",
                  (*_WHERE, "model", "version"))  # fmt: skip
E_VALUE = Family("cbi_shadow_e_value", "Evidence that the challenger is closer than the champion; 20 promotes", _WHERE)
MATURED = Family("cbi_shadow_forecasts", "Pairs of forecasts of champion and challenger that have matured", _WHERE)
DECIDED = Family("cbi_shadow_decided", "1 when a comparison is decided", (*_WHERE, "verdict"))
FAMILIES = (GATE, PROMOTIONS, CHAMPION, E_VALUE, MATURED, DECIDED)

Worlds = Mapping[str, str]
"""Run id to its world."""


def of_gates(runs: Runs) -> Shown:
    """Yield the newest judgement of each market and world, gate by gate."""
    newest = {(event.data.market, world_of(event.data.simulated)): event.data for event in runs.of(GatesJudged)}
    for (market, world), judged in newest.items():
        for horizon, report in judged.gates.items():
            for policy, found in report.policies.items():
                for gate in found.gates:
                    yield GATE.of(market, world, str(horizon), policy, gate.id, value=gate.passed)


def of_ledger(
    ledger: Iterable[Envelope[Any]], served: Iterable[tuple[str, str]], worlds: Worlds, now: datetime
) -> Shown:
    """Yield what was ever promoted, and how a challenger stands.

    Parameters
    ----------
    ledger : iterable of Envelope
        Oldest first.
    served : iterable of (market, world)
        Of which there are forecasts: what they lack is said.
    worlds : run id to its world
    now : datetime
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    champions: dict[tuple[str, str, str], ModelPromoted] = {}
    shadows: dict[tuple[str, str, str], ModelShadowed] = {}
    for event in ledger:
        data = event.data
        where = getattr(data, "market", ""), worlds.get(getattr(data, "run_id", ""), world_of(None))
        if isinstance(data, PromotionRejected):
            counts[*where, "rejected"] += 1
        elif isinstance(data, ModelPromoted):
            counts[*where, "rolled back" if data.rollback else "promoted"] += 1
            champions[*where, str(data.horizon)] = data
            shadows.pop((*where, str(data.horizon)), None)
        elif isinstance(data, ModelShadowed) and now - event.time <= _SILENT:
            shadows[*where, str(data.horizon)] = data
    for where in sorted({*served, *((market, world) for market, world, _ in counts)}):
        for outcome in _OUTCOMES:
            yield PROMOTIONS.of(*where, outcome, value=counts[*where, outcome])
        for horizon in map(str, Horizon):
            champion = champions.get((*where, horizon))
            named = ("none", "") if champion is None else (champion.model_id, champion.version)
            yield CHAMPION.of(*where, horizon, *named, value=1)
    yield from _of_shadows(shadows)


def _of_shadows(shadows: Mapping[tuple[str, str, str], ModelShadowed]) -> Shown:
    for where, said in shadows.items():
        if said.e_value is not None:
            yield E_VALUE.of(*where, value=said.e_value)
        yield MATURED.of(*where, value=said.n)
        for verdict in ("promote", "keep"):
            yield DECIDED.of(*where, verdict, value=said.verdict == verdict)
