"""What has arrived of each run, in shared state: whoever stores the last missing part sees the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.runtime.state import State
from cbi_common.storage.lake import Lake

EXPORT, REGIME = "export", "regime"


@dataclass(frozen=True)
class Arrived:
    """What a run's forecast is made of.

    Attributes
    ----------
    export : Envelope of DataExported
    regime : RegimeDetected or None
    trained : tuple of ModelTrained
        In the order of the manifest's members.
    failed, awaited : tuple of str
        ``model@horizon`` of the members that could not be trained, and of those that have not answered.
    """

    export: Envelope[DataExported]
    regime: RegimeDetected | None
    trained: tuple[ModelTrained, ...]
    failed: tuple[str, ...]
    awaited: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.regime is not None and not self.awaited

    @property
    def share(self) -> float:
        """Share of the members that have answered."""
        answered = len(self.trained) + len(self.failed)
        return answered / max(answered + len(self.awaited), 1)


class FanIn:
    """Parts of runs by key; every part is the envelope it came in, so nothing has to be asked for again."""

    def __init__(self, state: State, lake: Lake) -> None:
        self._state, self._lake = state, lake
        self._seen: dict[str, bytes] = {}

    @staticmethod
    def run_of(event: Envelope[Any]) -> str:
        """Return the name under which the parts of the event's run are kept: one pass may hold several runs."""
        return digest(event.correlationid, event.data.run_id)[:32]

    async def record(self, event: Envelope[Any], part: str) -> str:
        """Store one part and return the name of its run."""
        run = self.run_of(event)
        payload = event.to_json()
        await self._state.put(_key(run, part), payload)
        self._seen[_key(run, part)] = payload
        return run

    async def complete(self, run: str) -> Arrived | None:
        """Return the run when its export, its regime and a result of every member are there, else None."""
        export, regime = await self._part(run, EXPORT), await self._part(run, REGIME)
        if export is None or regime is None:
            return None
        exported = Envelope[DataExported].model_validate_json(export)
        for member in self._manifest(exported.data).members:
            if await self._part(run, member_part(member.model_id, member.horizon)) is None:
                return None
        return await self.arrived(run, exported)

    async def arrived(self, run: str, export: Envelope[DataExported]) -> Arrived:
        """Return what has arrived of the run so far."""
        regime = await self._part(run, REGIME)
        members: list[ModelTrained | ModelFailed] = []
        awaited: list[str] = []
        for member in self._manifest(export.data).members:
            result = await self._part(run, member_part(member.model_id, member.horizon))
            if result is None:
                awaited.append(f"{member.model_id}@{member.horizon}")
            else:
                members.append(Envelope[ModelTrained | ModelFailed].model_validate_json(result).data)
        return Arrived(
            export=export,
            regime=None if regime is None else Envelope[RegimeDetected].model_validate_json(regime).data,
            trained=tuple(m for m in members if isinstance(m, ModelTrained)),
            failed=tuple(f"{m.model_id}@{m.horizon}" for m in members if isinstance(m, ModelFailed)),
            awaited=tuple(awaited),
        )

    def forget(self, run: str) -> None:
        """Drop what this process remembers of a finished run; the shared state keeps it."""
        for key in [k for k in self._seen if k.startswith(f"run.{run}.")]:
            del self._seen[key]

    async def _part(self, run: str, part: str) -> bytes | None:
        key = _key(run, part)
        if key not in self._seen:
            found = await self._state.get(key)
            if found is None:
                return None
            self._seen[key] = found
        return self._seen[key]

    def _manifest(self, data: DataExported) -> RunManifest:
        assert data.manifest is not None  # only complete exports are recorded
        return RunManifest.model_validate(self._lake.get_json(data.manifest))


def member_part(model_id: str, horizon: str) -> str:
    """Return the part that holds a member's result."""
    return f"member.{model_id}.{horizon}"


def _key(run: str, part: str) -> str:
    return f"run.{run}.{part}"
