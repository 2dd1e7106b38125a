"""Exports on request, and completes an export that was announced by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from cbi_common.core.errors import InfrastructureError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.manifest import GRID, RunManifest
from cbi_common.runtime.service import Kit, Outgoing


class Handlers:
    """Handlers of ingest.

    The latest export of a market lies in the state under ``export.<market>``; its refits off the grid are inherited by
    every later export, or the model that a retrain made would be gone with the next day.
    """

    def __init__(self, kit: Kit) -> None:
        self._settings, self._lake, self._workers, self._state = kit.settings, kit.lake, kit.workers, kit.state

    async def export(self, event: Envelope[DataRequested]) -> Sequence[Outgoing]:
        """Export the market as of the requested day, with a refit of every model there if that is asked for."""
        asked = event.data
        latest = await self._latest(asked.market)
        request = {
            "market": asked.market,
            "as_of": None if asked.as_of is None else asked.as_of.isoformat(),
            "profile": asked.profile,
            "datasets": list(asked.datasets),
            "retrain_cause": event.id if asked.refit else None,
            "scope": asked.scope,
        }
        inherited = self._inherited(latest) if asked.refits is None else asked.model_dump(mode="json")["refits"]
        return await self._run({**request, "inherited_refits": inherited}, asked.reason)

    async def complete(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Complete a bare ``data.exported``: the latest export, and a refit of every model at its as_of."""
        asked = event.data
        if asked.complete:
            return []
        latest = await self._latest(asked.market)
        if latest is not None and asked.as_of in (None, latest.as_of) and asked.profile in (None, latest.profile):
            argument = {"lake": self._lake.url, "exported": latest.model_dump(mode="json"), "cause": event.id}
            done = await self._workers.run("ingest.jobs:retrain", argument, label=f"retrain {asked.market}")
            return await self._remembered(done.value["exported"], asked.reason)
        known_profile = None if latest is None else latest.profile
        request = {
            "market": asked.market,
            "as_of": None if asked.as_of is None else asked.as_of.isoformat(),
            "profile": asked.profile or known_profile or "quick",
            "retrain_cause": event.id,
            "inherited_refits": self._inherited(latest),
        }
        return await self._run(request, asked.reason)

    async def _run(self, request: dict[str, Any], reason: str) -> Sequence[Outgoing]:
        argument = {
            **request,
            "markets": self._settings.markets,
            "finbert": self._settings.finbert,
            "lake": self._lake.url,
            "warehouse": self._settings.warehouse,
        }
        done = await self._workers.run("ingest.jobs:export", argument, label=f"export {request['market']}")
        if "rejected" in done.value:
            return [Outgoing(DataRejected.model_validate(done.value["rejected"]))]
        return await self._remembered(done.value["exported"], reason)

    async def _remembered(self, raw: dict[str, Any], reason: str) -> Sequence[Outgoing]:
        exported = DataExported.model_validate(raw).model_copy(update={"reason": reason})
        await self._state.put(_key(exported.market), exported.model_dump_json().encode())
        return [Outgoing(exported)]

    async def _latest(self, market: str) -> DataExported | None:
        raw = await self._state.get(_key(market))
        return None if raw is None else DataExported.model_validate_json(raw)

    def _inherited(self, latest: DataExported | None) -> list[dict[str, Any]]:
        """Return the refits off the grid, unless they were asked for in another world (simulated or real)."""
        simulated = self._settings.warehouse.split("?", 1)[0] == "simulated"
        if latest is None or latest.manifest is None or latest.simulated != simulated:
            return []
        raw = self._lake.get_if_intact(latest.manifest.key)
        if raw is None:
            return []
        try:
            manifest = RunManifest.model_validate(json.loads(raw))
        except ValidationError as error:
            raise InfrastructureError(
                "the manifest of the latest export was written by another version",
                where=f"lake {latest.manifest.key}",
                hint="start with an empty lake, or `cbi run --lake DIR`",
            ) from error
        return [refit.model_dump(mode="json") for refit in manifest.refits if refit.cause != GRID]


def _key(market: str) -> str:
    return f"export.{market}"
