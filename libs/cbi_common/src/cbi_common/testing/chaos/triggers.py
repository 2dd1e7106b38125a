"""Watches what the services publish, and strikes at the boundaries that were drawn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from cbi_common.testing.chaos.proxy import Phase, Publish
from cbi_common.testing.chaos.scenario import Boundary, Fault, Moment

Strike = Callable[[Fault, Publish], Coroutine[Any, Any, bool]]
"""Returns whether what triggered it still goes to the bus."""


@dataclass
class _Armed:
    fault: Fault
    strike: Strike
    seen: Publish | None = None
    """The publish that it waits behind until its cause is acknowledged."""


@dataclass
class Triggers:
    """Counts publishes of one scenario; ``said`` holds every event, in the order in which it was published."""

    said: list[Publish] = field(default_factory=list)
    _armed: list[_Armed] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _strikes: set[asyncio.Task[bool]] = field(default_factory=set)

    def forget(self) -> None:
        """Forget the scenario before."""
        self.said.clear()
        self._counts.clear()
        self._armed.clear()

    def begin(self, faults: tuple[Fault, ...], strike: Strike) -> None:
        """Forget the scenario before and wait for the boundaries of another."""
        self.forget()
        self._armed = [_Armed(fault, strike) for fault in faults]

    @property
    def waiting(self) -> list[Fault]:
        """Faults that have not struck yet."""
        return [armed.fault for armed in self._armed]

    @property
    def seen(self) -> Counter[tuple[str, str]]:
        """How often each service has published each event."""
        return self._counts

    async def tap(self, service: str, publish: Publish, phase: Phase) -> bool:
        """See one publish go by; return whether it may."""
        if publish.acknowledges:
            return phase == "after" or await self._acknowledging(service, publish)
        if publish.subject.startswith(("$", "_")):
            return True
        if phase == "before":
            self._counts[service, publish.subject] += 1
            self.said.append(publish)
        nth = self._counts[service, publish.subject]
        moment: Moment = "before" if phase == "before" else "after"
        kept = await self._strike(Boundary(service, publish.subject, nth, moment), publish)
        if phase == "after":
            for armed in self._armed:
                if armed.fault.at == Boundary(service, publish.subject, nth, "unacknowledged"):
                    armed.seen = publish
        return kept

    async def _strike(self, at: Boundary, publish: Publish) -> bool:
        return await self._all([armed for armed in self._armed if armed.fault.at == at], publish)

    async def _acknowledging(self, service: str, publish: Publish) -> bool:
        due = [armed for armed in self._armed if armed.seen is not None and armed.fault.at.service == service]
        return await self._all(due, publish)

    async def _all(self, due: list[_Armed], publish: Publish) -> bool:
        kept = True
        for armed in due:
            self._armed.remove(armed)
            # In a task of its own: it may end the very connection that this is called from.
            task = asyncio.create_task(armed.strike(armed.fault, armed.seen or publish))
            self._strikes.add(task)
            task.add_done_callback(self._strikes.discard)
            kept = await asyncio.shield(task) and kept
        return kept
