"""Time to an answer with a year of history behind it, at 100 requests a second, on one core."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.events.base import Envelope
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.past import days_of
from cbi_common.testing.served import served
from cbi_common.testing.story import START, Story
from dashboard.adapters.feed import settle
from dashboard.adapters.guard import Access, Guard
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import PAGES
from dashboard.handlers import create_api

pytestmark = pytest.mark.benchmark

DAYS, RATE, SECONDS = 252, 100, 20
ROUTES = [
    *(page.path for page in PAGES), "/runs/req-0100", "/api/predictions", "/api/forecast/1m", "/api/regime/current",
    "/api/market/intelligence", "/api/monitoring", "/api/monitoring/performance", "/api/explain/1m", "/api/runs",
    "/api/track/1m.csv",
]  # fmt: skip


def a_year(lake: Lake) -> Iterator[Envelope[Any]]:
    """Yield a run of the standard profile's size for every session of a year."""
    models = [spec.id for spec in load_catalogue().models]
    for event in days_of(lake, DAYS):
        yield event
        if event.type == "model.trained" and event.data.model_id == "ets":
            for name in models:
                data = event.data.model_copy(update={"model_id": name})
                yield event.model_copy(update={"id": f"{event.id}-{name}", "data": data})


def serve(pipe: Connection) -> None:
    """Serve on the first core; an event arrives every second, after which nothing that was kept holds."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lake = Lake("memory://speed")
    known, access = Known(Runs(a_year(lake))), Access()

    settle()

    async def busy() -> None:
        *begun, trained = Story("fresh", START + timedelta(hours=1)).whole()[:4]
        for event in (*begun, *(trained.model_copy(update={"id": f"fresh-{i}"}) for i in range(600))):
            await asyncio.sleep(1.0)
            known.apply(event)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        task = asyncio.create_task(busy())
        yield
        task.cancel()

    api = create_api(known, lambda: START + timedelta(days=1), lake, lifespan, access=access)
    with served(Guard(api, access)) as address:
        pipe.send(address)
        pipe.recv()


@pytest.fixture
def address() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        assert ours.poll(120)
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join(20)


async def ask(host: str, port: int, path: str) -> tuple[int, int]:
    """Return status and size of an answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]), len(answer)


async def load(host: str, port: int, routes: list[str], seconds: int) -> list[tuple[str, int, float]]:
    """Ask at a steady rate whether or not the answers come; waiting for a place in line counts."""
    start, answers = time.perf_counter() + 1.0, []  # making that many tasks takes a while

    async def one(i: int) -> None:
        path, due = routes[i % len(routes)], start + i / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        status, _ = await ask(host, port, path)
        answers.append((path, status, time.perf_counter() - due))

    await asyncio.gather(*(one(i) for i in range(RATE * seconds)))
    return answers


def percentile(answers: list[tuple[str, int, float]], share: float) -> float:
    """Return how many milliseconds that share of the answers took at most."""
    waits = sorted(wait for _, _, wait in answers)
    return 1000 * waits[min(int(len(waits) * share), len(waits) - 1)]


def test_any_page_within_a_tenth_of_a_second(address: str, record: Callable[..., None]) -> None:
    host, port = address.removeprefix("http://").split(":")
    first = {path: asyncio.run(ask(host, int(port), path)) for path in ROUTES}
    answers = asyncio.run(load(host, int(port), ROUTES, SECONDS))
    idle = asyncio.run(load(host, int(port), ["/login"], SECONDS // 2))
    assert {status for _, status, _ in (*answers, *idle)} == {200}
    record("dashboard, p50", percentile(answers, 0.5), "ms", budget=20)
    record("dashboard, p99", percentile(answers, 0.99), "ms", budget=100)
    record("a page without content, p99", percentile(idle, 0.99), "ms")
    record("p99 beside that page's", percentile(answers, 0.99) / percentile(idle, 0.99), "times")
    for path in ROUTES:
        record(f"  {path}, p99", percentile([one for one in answers if one[0] == path], 0.99), "ms", budget=100)
    record("first page, packed", first["/"][1] / 1000, "kB", budget=300)
