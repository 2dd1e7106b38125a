"""On a forecast: why."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.explanation import ExplanationReady, ImportanceShift
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import DriftDetected
from cbi_common.runtime.service import Kit, Outgoing
from explain.domain.attribution import largest_first
from explain.version import VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers

    async def attribute(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Attribute a forecast to its drivers."""
        forecast = event.data.model_dump(mode="json")
        key = f"explanation/{digest(VERSION, forecast)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            argument = {"lake": self._lake.url, "forecast": forecast, "key": key}
            result = await self._workers.run("explain.jobs:attribute", argument, label="explain")
            explained = ExplanationReady.model_validate(result.value)
        else:
            explained = ExplanationReady.model_validate(json.loads(stored))
        explained = _in_order(explained)
        return [Outgoing(explained), *_drifts(explained)]


def _in_order(explained: ExplanationReady) -> ExplanationReady:
    # Canonical JSON, in which jobs answer and the lake stores, sorts by name.
    ordered = {
        horizon: found.model_copy(
            update={
                "groups": largest_first(found.groups),
                "drivers": largest_first(found.drivers),
                "importance": largest_first(found.importance),
                "shift": found.shift and found.shift.model_copy(update={"recent": largest_first(found.shift.recent)}),
            }
        )
        for horizon, found in sorted(explained.explanations.items(), key=lambda item: item[0].sessions)
    }
    return explained.model_copy(update={"explanations": ordered})


def _drifts(explained: ExplanationReady) -> list[Outgoing]:
    """Return a drift of every horizon whose forecasts rest on other drivers; monitor tells of it while it lasts."""
    return [
        Outgoing(
            DriftDetected(
                market=explained.market,
                kind="importance",
                evidence={
                    "condition": f"importance/{horizon}",
                    **found.shift.model_dump(mode="json"),
                    "before": found.importance,
                },
                action="alert",
                run_id=explained.run_id,
                as_of=explained.as_of,
                horizon=horizon,
                what=_words(horizon, found.shift),
                since=found.shift.since,
            ),
            discriminator=str(horizon),
        )
        for horizon, found in explained.explanations.items()
        if found.shift is not None and found.shift.drifted
    ]


def _words(horizon: Horizon, shift: ImportanceShift) -> str:
    first = " and ".join(list(shift.recent)[:2])
    return (
        f"forecasts {horizon} ahead rest on other drivers than before: mostly {first} in the last year, rank "
        f"correlation {shift.correlation:+.2f} with the time before, never below {shift.lowest:+.2f} until then"
    )
