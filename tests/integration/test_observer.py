"""The observer against a real bus: with its own rights, after a restart, and while the bus is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import generate_latest

from cbi_common.core.clock import system_clock
from cbi_common.events.promotion import PromotionRejected
from cbi_common.runtime.accounts import accounts, users, variable
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.service import Kit
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.streams import LEDGER
from cbi_common.runtime.telemetry import REGISTRY
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake
from cbi_common.testing.bench import eventually
from cbi_common.testing.story import Story
from monitor import observer
from monitor.domain.gauges.everything import everything
from monitor.observer import Observer

Scene = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A bus with an account for each service, and connections to it."""

    def __init__(self, folder: Path, server: NatsServer, passwords: dict[str, str]) -> None:
        self.folder, self.server, self.passwords = folder, server, passwords
        self.url = server.connected(Settings.load()).nats_url or ""
        self.buses: list[Bus] = []

    async def joined(self, user: str) -> Bus:
        bus = Bus(Settings.load().with_bus(self.url, user, self.passwords[user]), user, patience_s=10)
        await bus.connect()
        self.buses.append(bus)
        return bus

    async def observer(self) -> Observer:
        settings = Settings.load(lake=str(self.folder / "lake"), ops_port=0)
        (self.folder / "lake").mkdir(exist_ok=True)
        bus = await self.joined("monitor")
        return Observer(Kit(settings, Lake(settings.lake), Workers(1, 60), State(bus), system_clock), bus)


def play(folder: Path, scene: Scene) -> str:
    """Run a scene, and return the bus's log."""
    passwords = {user: uuid4().hex for user in users(installed())}
    text = accounts()
    for user, password in passwords.items():
        text = re.sub(rf"\${variable(user)}\b", f'"{password}"', text)

    async def go() -> None:
        server = NatsServer(folder, text)
        await server.start()
        stage = Stage(folder, server, passwords)
        try:
            await (await stage.joined("operator")).declare_streams()
            await scene(stage)
        finally:
            for bus in stage.buses:
                await bus.close()
            await server.stop()

    asyncio.run(go())
    return (folder / "nats.log").read_text()


async def tell(stage: Stage) -> None:
    operator = stage.buses[0]
    for event in Story(start=system_clock()).whole():
        await operator.publish(event)
    await operator.send("dead.data.requested", _LETTER)

    async def kept() -> bool | None:
        return bool(await Journal(operator).events([PromotionRejected.subject], stream=LEDGER)) or None

    await eventually(kept, within_s=60)  # the ledger is fed from the events, a moment later


_LETTER = (
    b'{"subject": "data.requested", "consumer": "ingest--export", "reason": "no", "payload": "{}", "is_base64": false,'
    b' "headers": {}, "deliveries": 1, "stream": "EVENTS", "sequence": 1, "time": "2025-05-19T12:00:00Z",'
    b' "correlationid": null}'
)


def test_it_has_every_right_that_it_needs_and_a_restart_changes_no_number(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await tell(stage)
        waiting = stage.buses[0].jetstream
        await waiting.add_consumer("EVENTS", name="ensemble--record_trained", durable_name="ensemble--record_trained",
                                   filter_subject="model.trained", ack_policy="explicit")  # fmt: skip
        one, other = await stage.observer(), await stage.observer()
        before, after = await one.look(), await other.look()
        assert set(everything(before)) == set(everything(replace(after, now=before.now, disk=before.disk)))
        values = {(s.family.name, s.labels): s.value for s in everything(before)}
        assert values["cbi_queue_waiting_messages", ("EVENTS", "ensemble--record_trained")] == 10
        assert values["cbi_queue_oldest_message_seconds", ("EVENTS", "ensemble--record_trained")] > 0
        assert values["cbi_dead_letters_kept", ("ingest--export",)] == 1
        assert values["cbi_newest_run", ("zl", "done")] == 1
        assert values["cbi_promotions_total", ("zl", "unknown", "rejected")] == 1
        again = await one.look()
        assert len(again.runs.all()) == len(before.runs.all()) == 1, "read once, although looked at twice"

    log = play(tmp_path, scene)
    assert re.findall(r".*Violation.*", log) == []


def test_what_comes_later_is_seen_and_a_letter_that_was_sent_again_is_gone(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        watching = await stage.observer()
        assert (await watching.look()).letters == ()
        await tell(stage)
        seen = await watching.look()
        assert seen.letters == ("ingest--export",)
        assert len(seen.runs.all()) == 1
        await stage.buses[0].jetstream.delete_msg("DEAD", 1)
        assert (await watching.look()).letters == ()

    play(tmp_path, scene)


def test_while_the_bus_is_away_the_last_look_stays_and_grows_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "_EVERY_S", 0.05)

    async def newest() -> float | None:
        found = re.search(r"^cbi_observed_timestamp_seconds (\S+)$", generate_latest(REGISTRY).decode(), re.MULTILINE)
        return float(found[1]) if found else None

    async def later(than: float) -> float | None:
        shown = await newest()
        return shown if shown and shown > than else None

    async def scene(stage: Stage) -> None:
        watching = await stage.observer()
        task = asyncio.create_task(watching.run())
        try:
            first = await eventually(newest)
            await eventually(lambda: later(first))
            await stage.server.stop()
            gone = system_clock().timestamp()
            await eventually(lambda: _disconnected(stage.buses[-1]))
            stale = await newest()
            assert stale is not None
            assert stale <= gone + 1
            await stage.server.start()
            await eventually(lambda: later(stale), within_s=60)
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert await newest() is None, "a monitor that has stopped shows nothing"

    play(tmp_path, scene)


async def _disconnected(bus: Bus) -> bool | None:
    return None if bus.connected else True
