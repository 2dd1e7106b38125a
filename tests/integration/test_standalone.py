"""One service in a process of its own: waits for the bus, says when it is ready, stops when told."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx

from cbi_common.testing.bench import Bench, bench, eventually


def play(folder: Path, scene: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    async def go() -> None:
        async with bench(folder, **settings) as stage:
            await scene(stage)

    asyncio.run(go())


def test_a_service_waits_for_the_bus_and_says_when_it_is_ready(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.server.stop()
        port = free_port()
        process = stage.spawn("double", CBI_OPS_PORT=str(port))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                assert await eventually(lambda: _ready(http, False)) == {"ready": False, "services": {"echo": False}}
                await stage.server.start()
                await eventually(lambda: _ready(http, True))
                await stage.ask(json.dumps({"n": 21}))
                assert await stage.answers(1) == ['{"n": 42}']
                # A message is counted after its answer is out and its acknowledgement is in.
                line = 'cbi_messages_handled_total{outcome="done",service="echo",subject="test.asked"} 1.0'
                metrics = await eventually(lambda: _metrics_with(line, http))
                assert 'cbi_job_cpu_seconds_count{entry="cbi_common.testing.jobs:double"} 1.0' in metrics
                await stage.server.stop()
                await eventually(lambda: _ready(http, False))
                assert (await http.get("/health/live")).status_code == 200
                await stage.server.start()
                await eventually(lambda: _ready(http, True))
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        finally:
            process.kill()
            process.wait()

    play(tmp_path, scene)


async def _metrics_with(line: str, http: httpx.AsyncClient) -> str | None:
    metrics = (await http.get("/metrics")).text
    return metrics if line in metrics else None


def test_a_service_told_to_stop_while_it_waits_for_the_bus_stops(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.server.stop()
        port = free_port()
        process = stage.spawn("double", CBI_OPS_PORT=str(port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await eventually(lambda: _ready(http, False))
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 10) == 0

    play(tmp_path, scene)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def _ready(http: httpx.AsyncClient, wanted: bool) -> dict[str, Any] | None:
    try:
        response = await http.get("/health/ready")
    except httpx.TransportError:
        return None
    answer: dict[str, Any] = response.json()
    assert response.status_code == (200 if answer["ready"] else 503)
    return answer if answer["ready"] == wanted else None
