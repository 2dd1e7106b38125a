"""Results into their store: every forecast, explanation, validation, alert and decision, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, ValidationCompleted
from cbi_common.events.promotion import ModelPromoted, ModelShadowed, PromotionRejected
from cbi_common.runtime.service import Kit, Outgoing
from cbi_common.storage.bigquery_url import is_bigquery
from ingest.records import record


class Recorder:
    """Handlers that record results; each has a consumer of its own, so no kind waits for another.

    A folder is written by a thread, for starting a child process takes a hundred times as long; BigQuery's client
    belongs in a child.
    """

    def __init__(self, kit: Kit) -> None:
        self._settings, self._workers = kit.settings, kit.workers

    async def record_forecast(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Record a forecast."""
        return await self._record(event)

    async def record_explanation(self, event: Envelope[ExplanationReady]) -> Sequence[Outgoing]:
        """Record an explanation."""
        return await self._record(event)

    async def record_validation(self, event: Envelope[ValidationCompleted]) -> Sequence[Outgoing]:
        """Record a validation."""
        return await self._record(event)

    async def record_alert(self, event: Envelope[AlertRaised]) -> Sequence[Outgoing]:
        """Record an alert."""
        return await self._record(event)

    async def record_rejection(self, event: Envelope[PromotionRejected]) -> Sequence[Outgoing]:
        """Record that nothing was promoted, gate by gate."""
        return await self._record(event)

    async def record_promotion(self, event: Envelope[ModelPromoted]) -> Sequence[Outgoing]:
        """Record a promotion."""
        return await self._record(event)

    async def record_shadow(self, event: Envelope[ModelShadowed]) -> Sequence[Outgoing]:
        """Record that a challenger runs in shadow."""
        return await self._record(event)

    async def _record(self, event: Envelope[Any]) -> Sequence[Outgoing]:
        url = self._settings.results_url
        argument = {"results": url, "lake": self._settings.lake, "event": event.model_dump(mode="json")}
        if is_bigquery(url):
            await self._workers.run("ingest.records:record", argument, label=f"record {event.subject}")
        else:
            await asyncio.to_thread(record, argument)
        return []
