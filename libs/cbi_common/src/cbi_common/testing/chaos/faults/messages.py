"""Messages that come twice, out of order, or should never have come."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cbi_common.core.errors import CbiError, ContractError
from cbi_common.events.base import LakeRef
from cbi_common.runtime.streams import stream_of
from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage

_NOWHERE = LakeRef(key="manifest/0000000000000000", sha256="0" * 64, size_bytes=1)


@asynccontextmanager
async def duplicate(stage: Stage, fault: Fault, publish: Publish) -> AsyncIterator[None]:
    """Publish an event again: with its id, by which the stream knows it, or without."""
    for _ in range(int(fault.amount)):
        known = json.loads(publish.payload)["id"] if fault.how == "same_id" else None
        await _send(stage, fault, publish.subject, publish.payload, known)
    yield


@asynccontextmanager
async def reorder(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Publish everything that the pass has said so far once more, in another order."""
    said = stage.said()
    if fault.how == "reversed":
        said.reverse()
    else:
        random.Random(fault.amount).shuffle(said)
    for again in said:
        await _send(stage, fault, again.subject, again.payload, None)
    yield


@asynccontextmanager
async def poison(stage: Stage, fault: Fault, publish: Publish) -> AsyncIterator[None]:
    """Publish what nobody can read, what the bus cannot carry, or what points at nothing."""
    for number in range(int(fault.amount)):
        payload = _payload(stage, fault, publish, number)
        if fault.how == "oversized":
            await _refused(stage, fault, payload)
            continue
        sequence = await _send(stage, fault, fault.target, payload, None)
        if sequence is not None:
            stage.injected.append((stream_of(fault.target), sequence))
    yield


async def _send(stage: Stage, fault: Fault, subject: str, payload: bytes, known: str | None) -> int | None:
    try:
        return await stage.bus.send(subject, payload, message_id=known)
    except CbiError as error:
        stage.missed.append(f"{fault}: {error}")
        return None


def _payload(stage: Stage, fault: Fault, publish: Publish, number: int) -> bytes:
    makers: dict[str, bytes] = {
        "not_json": b"{not json %d" % number,
        "binary": b"\xff\xfe\x00" + bytes([number]),
        "list": b"[1, 2, %d]" % number,
        "schema": json.dumps({"marcet": "zl", "n": number}).encode(),
        "type": json.dumps({"specversion": "1.0", "type": "no.such", "id": f"{stage.name}-{number}"}).encode(),
        "huge": b'{"market": "' + b"z" * 900_000 + b'"}',
        "deep": b"[" * 200_000,
        "oversized": b"z" * 1_100_000,
    }
    return makers[fault.how] if fault.how in makers else _dangling(stage, fault, publish, number)


def _dangling(stage: Stage, fault: Fault, publish: Publish, number: int) -> bytes:
    """Return a well-formed event whose objects are not in the lake."""
    sample = next((said for said in reversed(stage.said()) if said.subject == fault.target), None)
    raw: dict[str, Any] = json.loads((sample or publish).payload)
    raw |= {"id": f"{stage.name}-dangling-{number}", "correlationid": f"{stage.name}-dangling", "type": fault.target}
    raw["subject"] = fault.target
    data = raw["data"] if sample is not None else {"market": "zl", "as_of": "2025-05-16", "run_id": "0" * 16}
    raw["data"] = data | {"manifest": _NOWHERE.model_dump(mode="json")}
    return json.dumps(raw).encode()


async def _refused(stage: Stage, fault: Fault, payload: bytes) -> None:
    """Send more than the bus takes: our client says so, and whoever says it without our client is hung up on."""
    try:
        await stage.bus.send(fault.target, payload)
    except ContractError as error:
        stage.refused.append(str(error))
    settings = stage.crew.settings
    assert settings.nats_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(settings.nats_url.rpartition(":")[2]))
    try:
        hello = {"verbose": False, "user": settings.nats_user, "pass": settings.nats_login}
        writer.write(b"CONNECT " + json.dumps(hello).encode() + b"\r\n")
        writer.write(b"PUB %s %d\r\n" % (fault.target.encode(), len(payload)))
        await writer.drain()
        async with asyncio.timeout(10):
            answers: Sequence[bytes] = [line async for line in reader]
        if any(b"Maximum Payload" in line for line in answers):
            stage.refused.append("the bus: Maximum Payload Violation")
    except (OSError, TimeoutError) as error:
        stage.missed.append(f"{fault}: {error!r}")
    finally:
        writer.close()
