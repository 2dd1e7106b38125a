"""On a forecast: the gates."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.promotion import PromotionRejected
from cbi_common.runtime.service import Kit, Outgoing
from promoter.version import VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers

    async def evaluate(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Put the final forecast of a run to the gates; a provisional one is not a candidate."""
        if event.data.provisional:
            return []
        forecast = event.data.model_dump(mode="json")
        key = f"gates/{digest(VERSION, forecast)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            argument = {"lake": self._lake.url, "forecast": forecast, "key": key}
            result = await self._workers.run("promoter.jobs:evaluate", argument, label="gates")
            rejected = PromotionRejected.model_validate(result.value)
        else:
            rejected = PromotionRejected.model_validate(json.loads(stored))
        return [Outgoing(rejected)]
