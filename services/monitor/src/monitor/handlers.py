"""On a forecast: keep it for the day it matures, and score what has matured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import ValidationCompleted
from cbi_common.runtime.service import Kit, Outgoing
from monitor.domain.track_record import issue_of
from monitor.version import VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers, self._state = kit.lake, kit.workers, kit.state

    async def validate(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Record the forecast as issued, then score the walk-forward and the issues of earlier dates."""
        forecast = event.data
        earlier = await self._record(forecast)
        if forecast.provisional:
            return []
        key = f"validation/{digest(VERSION, forecast.model_dump(mode='json'), earlier)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            argument = {
                "lake": self._lake.url,
                "forecast": forecast.model_dump(mode="json"),
                "issues": earlier,
                "key": key,
            }
            scored = (await self._workers.run("monitor.jobs:validate", argument, label="validation")).value
        else:
            scored = json.loads(stored)
        return [
            Outgoing(ValidationCompleted.model_validate(scored[source]), discriminator=source)
            for source in ("walk_forward", "issued")
            if scored[source] is not None
        ]

    async def _record(self, forecast: ForecastReady) -> list[dict[str, Any]]:
        series = f"issued.{forecast.market}.{'simulated' if forecast.simulated else 'real'}."
        own = f"{series}{forecast.as_of.isoformat()}"
        await self._state.create(own, issue_of(forecast).model_dump_json().encode())
        found = [await self._state.get(key) for key in await self._state.keys(series) if key < own]
        return [json.loads(issue) for issue in found if issue is not None]
