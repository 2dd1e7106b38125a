"""Fakes of what a service is given: workers that run in the test's process, state in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cbi_common.core.errors import JobError
from cbi_common.core.identity import canonical_json, derived_id
from cbi_common.events.base import Envelope, EventData
from cbi_common.runtime.service import Kit
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State, check_key
from cbi_common.runtime.workers import JobResult, Workers
from cbi_common.storage.lake import Lake

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)

Job = Callable[[dict[str, Any]], dict[str, Any]]


class FakeWorkers(Workers):
    """Runs jobs from a table in the test's own process and remembers the calls."""

    def __init__(self, jobs: Mapping[str, Job] | None = None) -> None:
        super().__init__(slots=1, cpu_limit_s=60)
        self.jobs = dict(jobs or {})
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def run(
        self, entry: str, argument: dict[str, Any], *, cpu_limit_s: float | None = None, label: str = ""
    ) -> JobResult:
        canonical_json(argument)  # a job's argument travels as JSON
        self.calls.append((entry, argument))
        if entry not in self.jobs:
            raise JobError(f"the fake knows no job {entry!r}", where="FakeWorkers", hint="give it in the table")
        value = self.jobs[entry](argument)
        canonical_json(value)
        return JobResult(value=value, cpu_s=0.5, wall_s=0.5, peak_mb=100.0)


class FakeState(State):
    """State in a dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[bytes, int]] = {}
        self._revision = 0

    async def get(self, key: str) -> bytes | None:
        found = await self.entry(key)
        return None if found is None else found[0]

    async def entry(self, key: str) -> tuple[bytes, int] | None:
        check_key(key)
        return self.entries.get(key)

    async def put(self, key: str, value: bytes) -> int:
        check_key(key)
        self._revision += 1
        self.entries[key] = (value, self._revision)
        return self._revision

    async def create(self, key: str, value: bytes) -> bool:
        if key in self.entries:
            return False
        await self.put(key, value)
        return True

    async def compare_and_set(self, key: str, value: bytes, revision: int) -> bool:
        if self.entries.get(key, (b"", 0))[1] != revision:
            return False
        await self.put(key, value)
        return True

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.entries if key.startswith(prefix))


def make_kit(
    tmp_path: Path,
    *,
    jobs: Mapping[str, Job] | None = None,
    workers: Workers | None = None,
    state: State | None = None,
    now: datetime = NOW,
    **settings: Any,
) -> Kit:
    """Return a kit over a lake in ``tmp_path``, with a clock that stands still."""
    resolved = Settings(**{"lake": str(tmp_path / "lake"), "cores": 1, **settings})
    return Kit(
        settings=resolved,
        lake=Lake(resolved.lake),
        workers=workers or FakeWorkers(jobs),
        state=state or FakeState(),
        clock=lambda: now,
    )


def envelope(
    data: EventData, *, event_id: str = "", correlation: str | None = None, now: datetime = NOW, source: str = "test"
) -> Envelope[Any]:
    """Return an envelope around ``data``; its id follows from the data unless one is given."""
    chosen = event_id or derived_id("test", data.subject, data.model_dump_json())
    first = Envelope.first(data, source=source, now=now, event_id=chosen)
    return first if correlation is None else first.model_copy(update={"correlationid": correlation})
