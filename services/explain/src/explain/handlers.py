"""On a forecast: why."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
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
        return [Outgoing(_in_order(explained))]


def _in_order(explained: ExplanationReady) -> ExplanationReady:
    # Canonical JSON, in which jobs answer and the lake stores, sorts by name.
    ordered = {
        horizon: found.model_copy(
            update={
                "groups": largest_first(found.groups),
                "drivers": largest_first(found.drivers),
                "importance": largest_first(found.importance),
            }
        )
        for horizon, found in sorted(explained.explanations.items(), key=lambda item: item[0].sessions)
    }
    return explained.model_copy(update={"explanations": ordered})
