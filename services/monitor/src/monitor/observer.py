"""Looks at the whole system every few seconds and shows it on ``/metrics``.

All of it follows from what is kept (the streams, the shared state), so that a restart changes no number.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cbi_common.core.errors import CbiError
from cbi_common.events.base import Envelope
from cbi_common.events.manifest import RunManifest
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.service import Kit
from cbi_common.runtime.streams import EVENTS, LEDGER
from cbi_common.runtime.telemetry import REGISTRY
from monitor.adapters import bus_watch
from monitor.adapters.board import Board
from monitor.domain.conditions import Book
from monitor.domain.gauges.everything import Facts, everything
from monitor.domain.gauges.family import world_of
from monitor.mail_book import MailBook
from monitor.notebook import PREFIX

_log = logging.getLogger(__name__)

_EVERY_S = 5.0


class Observer:
    """Reads what there is to know, over and over."""

    def __init__(self, kit: Kit, bus: Bus) -> None:
        self._kit, self._bus, self._journal = kit, bus, Journal(bus)
        self._mails = MailBook(kit.state)
        self._runs, self._ledger = Runs(), dict[str, Envelope[Any]]()
        self._read = {EVENTS: 0, LEDGER: 0}
        self._worlds: dict[str, str] = {}
        self._letters: tuple[str, ...] = ()
        self._dead: tuple[int, ...] = ()

    async def run(self) -> None:
        """Look and show until cancelled; while the bus is away, the last look stays and grows old."""
        board = Board()
        REGISTRY.register(board)
        try:
            while True:
                try:
                    board.show(list(everything(await self.look())))
                except (CbiError, ValueError) as error:  # ValueError: the state was written by another version
                    _log.warning("cannot look at the system: %s", error)
                await asyncio.sleep(_EVERY_S)
        finally:
            REGISTRY.unregister(board)

    async def look(self) -> Facts:
        """Return what is known now.

        Raises
        ------
        TransientError, InfrastructureError
            When the bus is away or refuses.
        """
        for event in await self._new(EVENTS):
            self._runs.apply(event)
        for event in await self._new(LEDGER):
            self._ledger[event.id] = event
        sizes, dead = await bus_watch.sizes(self._bus)
        if dead != self._dead:
            self._letters = tuple(letter.consumer for letter in await self._journal.dead_letters())
            self._dead = dead
        return Facts(
            now=self._kit.clock(),
            market=self._kit.settings.market,
            runs=self._runs,
            ledger=sorted(self._ledger.values(), key=lambda event: (event.time, event.id)),
            worlds=await self._known_worlds(),
            books=await self._books(),
            outbox=await self._mails.read(),
            queues=await bus_watch.queues(self._bus),
            sizes=sizes,
            letters=self._letters,
            disk=bus_watch.disk(self._kit.settings),
        )

    async def _new(self, stream: str) -> list[Envelope[Any]]:
        events, self._read[stream] = await self._journal.after(self._read[stream], stream=stream)
        return events

    async def _known_worlds(self) -> dict[str, str]:
        named = {getattr(event.data, "run_id", None) for event in self._ledger.values()}
        for run_id in filter(None, named - self._worlds.keys()):
            self._worlds[run_id] = await asyncio.to_thread(self._world, run_id)
        return self._worlds

    def _world(self, run_id: str) -> str:
        ref = self._kit.lake.find(f"manifest/{run_id}")
        if ref is None:
            return world_of(None)
        return world_of(RunManifest.model_validate(self._kit.lake.get_json(ref)).simulated)

    async def _books(self) -> dict[tuple[str, str], Book]:
        found = {}
        for key in await self._kit.state.keys(PREFIX):
            raw = await self._kit.state.get(key)
            if raw is not None:
                market, _, world = key.removeprefix(PREFIX).rpartition(".")
                found[market, world] = Book.model_validate_json(raw)
        return found
