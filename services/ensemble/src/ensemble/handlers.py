"""On every part of a run: store it; on the last one: the forecast."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.runtime.service import Kit, Outgoing
from ensemble.fan_in import EXPORT, REGIME, Arrived, FanIn, member_part
from ensemble.version import VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers
        self._fan_in = FanIn(kit.state, kit.lake)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def record_export(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Store a complete export; an incomplete one is ingest's to complete."""
        return await self._arrived(event, EXPORT) if event.data.complete else []

    async def record_trained(self, event: Envelope[ModelTrained]) -> Sequence[Outgoing]:
        """Store a member's result."""
        return await self._arrived(event, member_part(event.data.model_id, event.data.horizon))

    async def record_failed(self, event: Envelope[ModelFailed]) -> Sequence[Outgoing]:
        """Store that a member has none."""
        return await self._arrived(event, member_part(event.data.model_id, event.data.horizon))

    async def record_regime(self, event: Envelope[RegimeDetected]) -> Sequence[Outgoing]:
        """Store the regime."""
        return await self._arrived(event, REGIME)

    async def _arrived(self, event: Envelope[Any], part: str) -> Sequence[Outgoing]:
        run = await self._fan_in.record(event, part)
        async with self._locks[run]:
            arrived = await self._fan_in.complete(run)
            if arrived is None:
                return []
            forecast = await self._combined(arrived)
            self._fan_in.forget(run)
        # The export causes the one final forecast, whichever part came last: its id is the same in every retry.
        return [Outgoing(forecast, discriminator="final", cause=arrived.export)]

    async def _combined(self, arrived: Arrived) -> ForecastReady:
        argument = {
            "manifest": _json(arrived.export.data.manifest),
            "regime": _json(arrived.regime),
            "trained": [_json(t) for t in arrived.trained],
            "failed": list(arrived.failed),
        }
        key = f"ensemble/{_identity(arrived)}"
        stored = self._lake.get_if_intact(key)
        if stored is not None:
            return ForecastReady.model_validate(json.loads(stored))
        result = await self._workers.run(
            "ensemble.jobs:combine", {**argument, "lake": self._lake.url, "key": key}, label="ensemble"
        )
        return ForecastReady.model_validate(result.value)


def _identity(arrived: Arrived) -> str:
    """Digest of what decides the forecast; how long a fit took does not."""
    manifest = arrived.export.data.manifest
    members = [
        [t.model_id, str(t.horizon), t.predictions.sha256, t.artifact.sha256 if t.artifact else None, _json(t.metrics)]
        for t in arrived.trained
    ]
    return digest(VERSION, _json(manifest), members, list(arrived.failed), _json(arrived.regime))


def _json(value: Any) -> Any:
    return value.model_dump(mode="json")
