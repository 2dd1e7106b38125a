"""On every part of a run: store it; on the last one: the forecast. At the deadline: a provisional one."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from cbi_common.core.errors import NotYet
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.runtime.service import Kit, Outgoing
from ensemble.fan_in import EXPORT, REGIME, Arrived, FanIn, member_part
from ensemble.version import VERSION

_LOOK_AGAIN_S = 300.0
"""Between two looks whether a quorum has come together."""

_CATCH_UP_S = 30.0
"""After a start: members that came in the meantime wait on the bus, and with them no provisional forecast is needed."""


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers
        self._settings, self._clock, self._started = kit.settings, kit.clock, kit.clock()
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

    async def issue_provisional(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Forecast with what has arrived when the time for the rest is up; the final forecast follows all the same.

        The export itself waits on the bus until then, so that a restart forgets no deadline.

        Raises
        ------
        NotYet
            Before the deadline; while there is no quorum, and before it is asked for.
        """
        if not event.data.complete:
            return []
        run = await self._fan_in.record(event, EXPORT)
        async with self._locks[run]:
            arrived = await self._fan_in.arrived(run, event)
            if arrived.complete:
                self._fan_in.forget(run)
                return []
            self._wait(event, arrived)
            return [Outgoing(await self._combined(arrived), discriminator="provisional")]

    def _wait(self, event: Envelope[DataExported], arrived: Arrived) -> None:
        now, first, last = self._clock(), self._settings.quorum_wait_s, self._settings.forecast_deadline_s
        # A clock that was ahead, here or where the export was made, must put nothing off for as long as it was wrong.
        self._started = min(self._started, now)
        waited, ran = max((now - event.time).total_seconds(), 0.0), (now - self._started).total_seconds()
        catch_up = min(_CATCH_UP_S, last)
        if ran < catch_up and waited >= min(first, last):
            raise NotYet("what came while the service was away is taken first", delay_s=catch_up - ran)
        if waited >= last or (waited >= first and arrived.share >= self._settings.forecast_quorum):
            return
        due = min(first if waited < first else waited + _LOOK_AGAIN_S, last)
        raise NotYet(f"{len(arrived.awaited)} members are awaited", delay_s=due - waited)

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
            "regime": arrived.regime and _json(arrived.regime),
            "trained": [_json(t) for t in arrived.trained],
            "failed": list(arrived.failed),
            "awaited": list(arrived.awaited),
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
    missing = [list(arrived.failed), list(arrived.awaited)]
    return digest(VERSION, _json(manifest), members, missing, arrived.regime and _json(arrived.regime))


def _json(value: Any) -> Any:
    return value.model_dump(mode="json")
