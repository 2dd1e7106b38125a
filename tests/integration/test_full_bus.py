"""A bus whose disk was full goes on by itself once there is room: nothing that it acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cbi_common.core.errors import TransientError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.bus_health import has_room, write_error
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.testing.small_disk import fill, small_disk

pytestmark = pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason="mounts a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def asked(number: int) -> Envelope[DataRequested]:
    request = DataRequested(market="zl", reason="x" * 3000)
    return Envelope.first(request, source="test", now=datetime.now(UTC), event_id=str(number))  # type: ignore[return-value]


async def publish_until_refused(bus: Bus) -> None:
    for number in range(100, 200):  # what the last block of the file has left is used up first
        await bus.publish(asked(number))


def test_it_goes_on_once_there_is_room(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> list[str]:
        server = NatsServer(disk / "bus")
        await server.start()
        bus = Bus(server.connected(Settings()), "test", patience_s=3)
        try:
            await bus.connect()
            await bus.declare_streams()
            await bus.publish(asked(1))
            with (disk / "ballast").open("wb") as ballast:
                fill(ballast.fileno())
            assert not has_room(disk)
            with pytest.raises(TransientError):
                await publish_until_refused(bus)
            (disk / "ballast").unlink()
            patient = Bus(server.connected(Settings()), "patient", patience_s=60)
            await patient.connect()
            try:
                await patient.publish(asked(2))
            finally:
                await patient.close()
            return [event.id for event in await Journal(bus).events()]
        finally:
            await bus.close()
            await server.stop()

    found = asyncio.run(go())
    assert (found[0], found[-1]) == ("1", "2")
    assert any("until there is room" in record.getMessage() for record in caplog.records)


def test_a_server_that_is_well_or_away_has_no_write_error(tmp_path: Path) -> None:
    async def go() -> list[str | None]:
        server = NatsServer(tmp_path / "bus")
        await server.start()
        try:
            said = [await write_error(server._monitor)]
        finally:
            await server.stop()
        return [*said, await write_error(server._monitor)]

    assert asyncio.run(go()) == [None, None]
