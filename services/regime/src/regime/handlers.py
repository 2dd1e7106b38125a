"""On an export: the regime."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.regime import RegimeDetected
from cbi_common.runtime.service import Kit, Outgoing
from regime.environment import ENVIRONMENT, VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers

    async def detect(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Detect the regime of a complete export; an incomplete one is ingest's to complete."""
        manifest = event.data.manifest
        if manifest is None:
            return []
        key = f"regime/{digest(VERSION, ENVIRONMENT.identity(), manifest.sha256)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            argument = {"lake": self._lake.url, "manifest": manifest.model_dump(mode="json"), "key": key}
            result = await self._workers.run("regime.jobs:detect", argument, label="regime")
            detected = RegimeDetected.model_validate(result.value)
        else:
            detected = RegimeDetected.model_validate(json.loads(stored))
        return [Outgoing(detected)]
