"""Three servers instead of one: every message is kept three times, and the loss of any server stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import InfrastructureError, TransientError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.service import Outgoing, Service, discover
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.streams import DEAD, EVENTS, JOBS, LEDGER, STATE
from cbi_common.testing.bench import Answered, Asked, Bench, eventually
from cbi_common.testing.cluster import Cluster
from cbi_common.testing.fleet import Fleet
from cbi_common.testing.folders import write_simulated_folder

T = TypeVar("T")
STREAMS = (EVENTS, JOBS, LEDGER, DEAD, STATE)


async def declared(cluster: Cluster, folder: Path, replicas: int) -> Bus:
    settings = cluster.connected(Settings.load(lake=str(folder / "lake"), bus_replicas=replicas, ack_wait_s=2))
    bus = Bus(settings, "test")
    await bus.connect()

    async def done() -> bool | None:
        # Until the servers have found one another nobody may be asked for three copies.
        try:
            await bus.declare_streams()
        except (TransientError, InfrastructureError):
            return None
        return True

    await eventually(done, within_s=60)
    return bus


async def patiently(ask: Callable[[], Awaitable[T]], within_s: float = 90) -> T:
    """Do as every handler does while the servers choose a new leader: ask again."""

    async def answered() -> tuple[T] | None:
        try:
            return (await ask(),)
        except TransientError:
            return None

    return (await eventually(answered, within_s=within_s))[0]


async def until(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> None:
    async def looked() -> bool | None:
        return enough(await patiently(ask)) or None

    await eventually(looked, within_s=90)


async def copies(bus: Bus) -> dict[str, tuple[int | None, int]]:
    """Return of each stream how many copies it is to have, and how many servers keep up with its leader."""
    found = {}
    for name in STREAMS:
        with unavailable(name):
            info = await bus.jetstream.stream_info(name)
        others = (info.cluster.replicas if info.cluster else None) or ()
        found[name] = (info.config.num_replicas, 1 + sum(bool(peer.current and not peer.offline) for peer in others))
    return found


def play(folder: Path, scene: Callable[[Cluster], Awaitable[None]]) -> None:
    async def go() -> None:
        cluster = Cluster(folder / "bus")
        await cluster.start()
        try:
            await scene(cluster)
        finally:
            await cluster.stop()

    asyncio.run(go())


async def answer(event: Envelope[Any]) -> Sequence[Outgoing]:
    return (Outgoing(Answered(text=event.data.text)),)


def listening(service: Service) -> None:
    service.on(Asked, answer, publishes=(Answered,))


def test_copies_are_raised_and_never_lowered(tmp_path: Path) -> None:
    async def scene(cluster: Cluster) -> None:
        one = await declared(cluster, tmp_path, 1)
        assert {wanted for wanted, _ in (await copies(one)).values()} == {1}
        await State(one).put("champion.zl.real", b"1")
        three = await declared(cluster, tmp_path, 3)

        async def kept() -> bool | None:
            return set((await copies(three)).values()) == {(3, 3)} or None

        assert await eventually(kept, within_s=60)
        await one.declare_streams()  # as somebody's `cbi status` would, without the setting
        assert {wanted for wanted, _ in (await copies(one)).values()} == {3}
        assert await State(one).get("champion.zl.real") == b"1"
        for bus in (one, three):
            await bus.close()

    play(tmp_path, scene)


def test_any_one_server_may_go(tmp_path: Path) -> None:
    async def scene(cluster: Cluster) -> None:
        bus = await declared(cluster, tmp_path, 3)
        settings = cluster.connected(Settings.load(lake=str(tmp_path / "lake"), ack_wait_s=2, cores=1))
        bench = Bench(settings, None, bus, Journal(bus))  # type: ignore[arg-type]  # it is not asked for its server
        try:
            await bench.start(listening)
            for lost in range(3):
                await bench.ask(f"before {lost}")
                await cluster.kill(lost)
                await bench.ask(f"without {lost}")
                await until(lambda: bench.journal.events([Answered.subject]), lambda e, n=2 * lost + 2: len(e) >= n)
                await patiently(lambda key=f"run.{lost}": State(bus).put(key, b"x"))
                await cluster.revive(lost)

                await until(lambda: copies(bus), lambda found: set(found.values()) == {(3, 3)})
            said = [event.data.text for event in await patiently(lambda: bench.journal.events([Answered.subject]))]
            assert sorted(said) == sorted(f"{when} {lost}" for when in ("before", "without") for lost in range(3))
            assert await patiently(lambda: State(bus).keys("run.")) == ["run.0", "run.1", "run.2"]
        finally:
            await asyncio.gather(*(service.stop() for service in bench.services))
            await bus.close()

    play(tmp_path, scene)


@pytest.mark.e2e
@pytest.mark.timeout(590)
def test_a_pass_goes_on_when_a_server_dies_in_the_middle(tmp_path: Path) -> None:
    write_simulated_folder(tmp_path / "tables", sessions=1500, seed=5)

    async def scene(cluster: Cluster) -> None:
        await (await declared(cluster, tmp_path, 3)).close()
        async with Fleet(tmp_path, tuple(discover()), str(tmp_path / "tables"), nats=cluster) as fleet:
            asked = DataRequested(market="zl", profile="smoke", reason="test")
            event = Envelope.first(asked, source="test", now=system_clock(), event_id=str(uuid4()))
            await fleet.bus.publish(event)
            journal = Journal(fleet.bus)

            async def told(kind: str) -> list[Envelope[Any]] | None:
                try:
                    events = await journal.events()
                except TransientError:
                    return None
                return [e for e in events if e.type == kind and not getattr(e.data, "provisional", False)] or None

            await eventually(lambda: told("data.exported"), within_s=280)
            await cluster.kill(0)
            (forecast,) = await eventually(lambda: told("forecast.ready"), within_s=280) or ()
            assert set(forecast.data.forecasts)

    play(tmp_path, scene)
