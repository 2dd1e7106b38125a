"""Answers are computed once for as long as nothing new is known."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Hashable

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import START, Story
from dashboard.adapters.kept import Kept
from dashboard.domain.known import Known
from dashboard.handlers import create_api


class Counting:
    """An application that says how often it was asked, slowly."""

    def __init__(self, status: int = 200, body: bytes = b"x" * 5000) -> None:
        self.asked, self.status, self.body = 0, status, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await asyncio.sleep(0.01)
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Kit:
    def __init__(self, app: Counting) -> None:
        self.app, self.version = app, 1
        self.client = TestClient(Kept(app, lambda _path: self.version))


def test_an_answer_holds_until_something_new_is_known() -> None:
    kit = Kit(Counting())
    first = kit.client.get("/a")
    again = kit.client.get("/a", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content, kit.app.asked) == (200, 304, b"", 1)
    kit.version = 2
    assert kit.client.get("/a", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert kit.app.asked == 2
    kit.version, kit.app.body = 3, b"new" * 1000
    fresh = kit.client.get("/a", headers={"if-none-match": first.headers["etag"]})
    assert (fresh.status_code, fresh.content) == (200, kit.app.body)


def test_each_address_has_an_answer_of_its_own() -> None:
    kit = Kit(Counting())
    for path in ("/a", "/a?x=1", "/b", "/a", "/b"):
        assert kit.client.get(path).status_code == 200
    assert kit.app.asked == 3


def test_a_packed_answer_is_the_same_answer_under_another_tag() -> None:
    kit = Kit(Counting())
    plain = kit.client.get("/a", headers={"accept-encoding": "identity"})
    packed = kit.client.get("/a", headers={"accept-encoding": "gzip"})
    assert plain.content == packed.content == kit.app.body
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(kit.app.body) / 10
    assert plain.headers["etag"] != packed.headers["etag"]
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert kit.client.head("/a").headers["content-length"]
    assert kit.client.head("/a").content == b""
    assert kit.app.asked == 1
    assert gzip.decompress(gzip.compress(kit.app.body)) == kit.app.body


@pytest.mark.parametrize("status", [404, 503])
def test_what_went_wrong_is_not_kept(status: int) -> None:
    kit = Kit(Counting(status=status))
    for _ in range(2):
        answer = kit.client.get("/a")
        assert (answer.status_code, "etag" in answer.headers) == (status, False)
    assert kit.app.asked == 2


def test_forms_and_the_stream_pass_through() -> None:
    kit = Kit(Counting())
    for _ in range(2):
        kit.client.post("/a")
        kit.client.get("/api/stream")
    assert kit.app.asked == 4


def test_many_who_ask_at_once_wait_for_one_answer() -> None:
    app = Counting()

    async def crowd() -> list[int]:
        transport = httpx.ASGITransport(Kept(app, lambda _path: 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get("/a") for _ in range(40)))]

    assert asyncio.run(crowd()) == [200] * 40
    assert app.asked == 1


def test_only_so_many_answers_are_kept() -> None:
    kit = Kit(Counting(body=b"x"))
    for i in range(300):
        kit.client.get(f"/{i}")
    kit.client.get("/299")
    assert kit.app.asked == 300
    kit.client.get("/0")
    assert kit.app.asked == 301


def test_only_pages_about_runs_follow_every_step_of_training() -> None:
    whole = Story().whole()
    *_, begun, done = [i for i, event in enumerate(whole) if event.type in ("model.trained", "forecast.ready")]
    known = Known(Runs())
    for event in whole[:begun]:
        known.apply(event)

    def stamps() -> tuple[Hashable, ...]:
        pairs = ((None, False), ("", True), ("req-1", True), ("none", True))
        return tuple(known.stamp(run, about_runs=about) for run, about in pairs)

    before = stamps()
    known.apply(whole[begun - 1].model_copy(update={"id": "again"}))
    assert [old == new for old, new in zip(before, stamps(), strict=True)] == [True, False, False, False]
    before = stamps()
    known.apply(whole[begun])  # the last one: the run goes on to its next stage
    known.apply(whole[done])
    assert not any(old == new for old, new in zip(before, stamps(), strict=True))
    before = stamps()
    known.apply(Story("other").request)
    assert [old == new for old, new in zip(before, stamps(), strict=True)] == [False, False, True, False]


def test_a_page_follows_the_events_and_the_day() -> None:
    known, now = Known(Runs()), [START]
    served = TestClient(create_api(known, lambda: now[0], Lake("memory://kept")))
    assert served.get("/api/predictions").status_code == 503
    for event in Story().whole():
        known.apply(event)
    first = served.get("/api/predictions")
    assert first.json()["origin"]["age_days"] == 3
    now[0] = START.replace(day=25)
    assert served.get("/api/predictions").json()["origin"]["age_days"] == 9
