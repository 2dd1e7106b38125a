"""The installed services in one process without a bus: events go from handler to handler in memory.

For tests of what the pipeline computes. What delivery does is tested against a real nats-server.
"""

from __future__ import annotations

import importlib
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cbi_common.core.errors import JobError, NotYet
from cbi_common.core.identity import canonical_json
from cbi_common.events.base import Envelope, EventData
from cbi_common.runtime.service import Kit, discover
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.workers import JobResult, Workers
from cbi_common.storage.lake import Lake
from cbi_common.testing.fakes import FakeState

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)
SERVICES = ("ingest", "trainer-cpu", "trainer-metal", "regime", "ensemble", "explain", "monitor", "promoter")


class InlineWorkers(Workers):
    """Runs a job by its entry in this very process."""

    def __init__(self) -> None:
        super().__init__(slots=1, cpu_limit_s=3600)

    async def run(
        self, entry: str, argument: dict[str, Any], *, cpu_limit_s: float | None = None, label: str = ""
    ) -> JobResult:
        module, _, name = entry.partition(":")
        try:
            value = getattr(importlib.import_module(module), name)(argument)
        except (ValueError, ArithmeticError) as error:
            raise JobError(f"{type(error).__name__}: {error}", where=entry) from error
        canonical_json(value)
        return JobResult(value=value, cpu_s=0.0, wall_s=0.0, peak_mb=0.0)


class Loopback:
    """Every installed service but the dashboard, wired by hand.

    Parameters
    ----------
    home : Path
        Folder for the lake.
    services : tuple of str
        Which services take part.
    settings : dict
        Fields of `Settings`.
    """

    def __init__(self, home: Path, services: tuple[str, ...] = SERVICES, **settings: Any) -> None:
        resolved = Settings.load(**{"lake": str(home / "lake"), "cores": 1, "tracking": "off", **settings})
        self.kit = Kit(
            settings=resolved,
            lake=Lake(resolved.lake),
            workers=InlineWorkers(),
            state=FakeState(),
            clock=lambda: NOW,
        )
        self._services = [build(self.kit) for build in discover(services).values()]
        self.log: list[Envelope[Any]] = []

    async def publish(self, data: EventData, event_id: str = "request") -> list[Envelope[Any]]:
        """Publish one event, let every handler finish, and return all events that came of it."""
        start = len(self.log)
        queue = deque([Envelope.first(data, source="test", now=NOW, event_id=event_id)])
        seen: set[str] = set()
        while queue:
            envelope = queue.popleft()
            if envelope.id in seen:
                continue
            seen.add(envelope.id)
            self.log.append(envelope)
            queue.extend(await self._deliver(envelope))
        return self.log[start:]

    async def _deliver(self, envelope: Envelope[Any]) -> list[Envelope[Any]]:
        caused: list[Envelope[Any]] = []
        for service in self._services:
            for subscription in service.subscriptions:
                if subscription.event.subject != envelope.subject:
                    continue
                try:
                    returned = await subscription.handler(envelope)
                except NotYet:
                    continue  # time stands still here
                for outgoing in returned:
                    cause = outgoing.cause or envelope
                    caused.append(
                        cause.caused(outgoing.data, source=service.name, now=NOW, discriminator=outgoing.discriminator)
                    )
        return caused

    def of(self, kind: type[EventData]) -> list[Any]:
        """Return the data of every event of one class so far."""
        return [envelope.data for envelope in self.log if envelope.subject == kind.subject]
