"""What the bus's guarantees cost: our publish and delivery beside bare nats-py, on one server and one stream, in turn.

Bare means what nats-py's own documentation shows: publish and wait for the acknowledgement; fetch one message, read its
JSON, acknowledge and wait until that has arrived. Ours adds the envelope and its validation, the check of the stream
that answered, and on the way back telling duplicates apart, the heartbeat, retries and dead letters.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.client import JetStreamContext

from cbi_common.core.clock import system_clock
from cbi_common.events.base import Envelope
from cbi_common.runtime.service import Outgoing
from cbi_common.runtime.streams import EVENTS
from cbi_common.testing.bench import Asked, Bench, bench, eventually
from cbi_common.testing.page import table, write_section
from cbi_common.testing.repeats import Repeats

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

ROUNDS, WARM, MESSAGES, LATENCIES, TEXT = 5, 50, 200, 200, "x" * 700
PAUSE_S = 0.003
"""Between two events whose time to the handler is taken, so that none waits for the one before."""
PATIENCE_S = 120
Record = Callable[..., None]
Stamp = tuple[str, float]


def asked(name: str) -> Envelope[Asked]:
    return Envelope.first(Asked(text=TEXT), source="bench", now=system_clock(), event_id=name)


@asynccontextmanager
async def bare(stage: Bench) -> Any:
    """A connection as nats-py's documentation makes it."""
    password = stage.settings.nats_password
    assert password is not None
    client = await nats.connect(
        stage.settings.nats_url, user=stage.settings.nats_user, password=password.get_secret_value()
    )
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def per_second(count: int, publish: Callable[[int], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    for i in range(count):
        await publish(i)
    return count / (time.perf_counter() - start)


async def take_bare(jetstream: JetStreamContext, count: int, ready: asyncio.Event) -> list[Stamp]:
    """Take so many messages, one at a time, and return when each was there to work on."""
    consumer = await jetstream.pull_subscribe(Asked.subject, durable="bare", stream=EVENTS)
    ready.set()
    taken = []
    while len(taken) < count:
        for message in await consumer.fetch(1, timeout=PATIENCE_S):
            taken.append((json.loads(message.data)["id"], time.perf_counter()))
            await message.ack_sync()
    await consumer.unsubscribe()
    return taken


async def take_ours(stage: Bench, count: int, ready: asyncio.Event) -> list[Stamp]:
    taken: list[Stamp] = []

    async def handler(event: Envelope[Asked]) -> Sequence[Outgoing]:
        taken.append((event.id, time.perf_counter()))
        return []

    await stage.start(lambda s: s.on(Asked, handler), name="ours")
    ready.set()

    async def all_taken() -> bool | None:
        return len(taken) >= count or None

    await eventually(all_taken, within_s=PATIENCE_S)
    return taken


def rate(taken: list[Stamp]) -> float:
    """Messages a second, from the first that was taken to the last."""
    return (len(taken) - 1) / (taken[-1][1] - taken[0][1])


async def publish_bare(jetstream: JetStreamContext, name: str) -> None:
    event = asked(name)
    payload = json.dumps(event.model_dump(mode="json")).encode()
    await jetstream.publish(event.subject, payload, stream=EVENTS, headers={"Nats-Msg-Id": name})


async def rates(folder: Path) -> dict[str, float]:
    """Messages a second: published, then the same messages consumed."""
    async with bench(folder, ack_wait_s=PATIENCE_S) as stage, bare(stage) as jetstream:
        # The first messages pay for what both load.
        await per_second(WARM, lambda i: publish_bare(jetstream, f"wb{i}"))
        await per_second(WARM, lambda i: stage.bus.publish(asked(f"wo{i}")))
        there = 2 * (MESSAGES + WARM)
        return {
            "bare publish": await per_second(MESSAGES, lambda i: publish_bare(jetstream, f"b{i}")),
            "publish": await per_second(MESSAGES, lambda i: stage.bus.publish(asked(f"o{i}"))),
            "bare consume": rate(await take_bare(jetstream, there, asyncio.Event())),
            "consume": rate(await take_ours(stage, there, asyncio.Event())),
        }


async def latencies(folder: Path, ours: bool) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds from publish to handler, on a stream of its own."""
    async with bench(folder, ack_wait_s=PATIENCE_S) as stage, bare(stage) as jetstream:
        ready = asyncio.Event()
        taking = take_ours(stage, LATENCIES, ready) if ours else take_bare(jetstream, LATENCIES, ready)
        taken = asyncio.create_task(taking)
        await ready.wait()
        sent: dict[str, float] = {}
        for name in map(str, range(LATENCIES)):
            sent[name] = time.perf_counter()
            await (stage.bus.publish(asked(name)) if ours else publish_bare(jetstream, name))
            await asyncio.sleep(PAUSE_S)
        waits = sorted(1000 * (when - sent[name]) for name, when in await taken)
    assert len(waits) == LATENCIES
    return waits[LATENCIES // 2], waits[-1 - LATENCIES // 100]


async def one_round(folder: Path) -> dict[str, float]:
    found = await rates(folder / "rates")
    found["bare p50"], found["bare p99"] = await latencies(folder / "bare", ours=False)
    found["p50"], found["p99"] = await latencies(folder / "ours", ours=True)
    return found


def test_beside_bare_nats(tmp_path: Path, record: Record) -> None:
    rounds = [asyncio.run(one_round(tmp_path / str(i))) for i in range(ROUNDS)]
    found = {name: Repeats(tuple(one[name] for one in rounds)) for name in rounds[0]}
    rows = [
        ("publish, each acknowledged by its stream, per second", "publish", "bare publish"),
        ("consume, each acknowledged and that confirmed, per second", "consume", "bare consume"),
        ("from publish to handler, p50, ms", "p50", "bare p50"),
        ("from publish to handler, p99, ms", "p99", "bare p99"),
    ]
    lines = []
    for title, ours, other in rows:
        ratio = found[ours].over(found[other])
        record(f"{title.removesuffix(', per second').removesuffix(', ms')}: ours / bare nats-py", ratio.middle, "times")
        lines.append((title, found[other], found[ours], ratio))
    write_section("events", table(("", "bare nats-py", "ours", "ours / bare"), lines))
