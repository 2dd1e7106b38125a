"""Training jobs that waited so long that a later day has overtaken them (the Mac was asleep)."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import NamedTuple

from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import TrainJobCpu
from cbi_common.runtime.state import State


class _Latest(NamedTuple):
    time: str
    as_of: str


class Supersession:
    """Knows the latest export of each market and profile, in shared state.

    Parameters
    ----------
    state : State
    service : str
        Trainer; each of them remembers what it planned.
    after_s : float
        How long a job must have waited before it can be overtaken: days that are replayed one after the other, or
        asked for out of order, are all trained.
    """

    def __init__(self, state: State, service: str, after_s: float) -> None:
        self._state, self._service, self._after_s = state, service, after_s

    async def note(self, event: Envelope[DataExported], manifest: RunManifest) -> None:
        """Remember an export, if it is the latest so far."""
        key, new = self._key(manifest), _Latest(event.time.isoformat(), manifest.as_of.isoformat())
        while True:
            found = await self._state.entry(key)
            if found is None:
                if await self._state.create(key, json.dumps(new).encode()):
                    return
            elif not _before(_Latest(*json.loads(found[0])), new) or await self._state.compare_and_set(
                key, json.dumps(new).encode(), found[1]
            ):
                return

    async def by(self, event: Envelope[TrainJobCpu], manifest: RunManifest, now: datetime) -> date | None:
        """Return the later day that makes a job needless, or None."""
        if (now - event.time).total_seconds() <= self._after_s:
            return None
        stored = await self._state.get(self._key(manifest))
        if stored is None:
            return None
        latest = _Latest(*json.loads(stored))
        as_of = date.fromisoformat(latest.as_of)
        return as_of if as_of > manifest.as_of and datetime.fromisoformat(latest.time) > event.time else None

    def _key(self, manifest: RunManifest) -> str:
        about = digest(manifest.market, manifest.profile, manifest.simulated)[:32]
        return f"latest.{self._service}.{about}"


def _before(known: _Latest, new: _Latest) -> bool:
    return datetime.fromisoformat(known.time) < datetime.fromisoformat(new.time)
