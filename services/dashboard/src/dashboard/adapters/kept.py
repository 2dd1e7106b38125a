"""Keeps what was answered for as long as nothing new is known, and spares a client what it has already."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ANSWERS = 256
_BYTES = 64 * 2**20
_WORTH_PACKING = 1_000
_NEVER = ("/api/stream", "/login", "/actions/")


@dataclass(frozen=True)
class _Answer:
    stamp: Hashable
    headers: list[tuple[bytes, bytes]]
    plain: bytes
    packed: bytes | None
    tag: str


class Kept:
    """ASGI middleware: answers a GET from memory while ``stamp`` stays, with an ETag, packed where that is accepted.

    Parameters
    ----------
    app : ASGI application
    stamp : callable
        From a path to what its answer follows from beside the address: equal stamps, equal answers.
    """

    def __init__(self, app: ASGIApp, stamp: Callable[[str], Hashable]) -> None:
        self._app, self._stamp = app, stamp
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._size = 0
        self._making: dict[str, asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(_NEVER):
            await self._app(scope, receive, send)
            return
        key = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
        answer = self._fresh(key, scope["path"]) or await self._make(key, scope, receive, send)
        if answer is not None:
            await _reply(answer, scope, send)

    def _fresh(self, key: str, path: str) -> _Answer | None:
        found = self._answers.get(key)
        return found if found is not None and found.stamp == self._stamp(path) else None

    async def _make(self, key: str, scope: Scope, receive: Receive, send: Send) -> _Answer | None:
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:  # many ask for the same at once: one computes, the others wait for it
                return self._fresh(key, scope["path"]) or await self._computed(key, scope, receive, send)
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    async def _computed(self, key: str, scope: Scope, receive: Receive, send: Send) -> _Answer | None:
        stamp = self._stamp(scope["path"])
        said: list[Message] = []

        async def hear(message: Message) -> None:
            said.append(message)

        await self._app({**scope, "method": "GET"}, receive, hear)
        if said[0]["status"] != 200:
            for message in said:
                await send(message)
            return None
        answer = _answer(stamp, said)
        self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: _Answer) -> None:
        old = self._answers.pop(key, None)
        self._size += len(answer.plain) - (len(old.plain) if old else 0)
        self._answers[key] = answer
        while len(self._answers) > _ANSWERS or self._size > _BYTES:
            _, gone = self._answers.popitem(last=False)
            self._size -= len(gone.plain)


def _answer(stamp: Hashable, said: list[Message]) -> _Answer:
    body = b"".join(message.get("body", b"") for message in said[1:])
    packed = gzip.compress(body, 6, mtime=0) if len(body) > _WORTH_PACKING else None
    kept = [(name, value) for name, value in said[0]["headers"] if name.lower() != b"content-length"]
    return _Answer(stamp, kept, body, packed, blake2b(body, digest_size=12).hexdigest())


async def _reply(answer: _Answer, scope: Scope, send: Send) -> None:
    asked = Headers(scope=scope)
    packed = answer.packed if "gzip" in asked.get("accept-encoding", "") else None
    tag = f'"{answer.tag}{"-gz" if packed else ""}"'
    start: Message = {"type": "http.response.start", "status": 200, "headers": list(answer.headers)}
    headers = MutableHeaders(scope=start)
    headers["etag"] = tag
    headers.setdefault("cache-control", "no-cache")
    headers.add_vary_header("accept-encoding")
    body = answer.plain if packed is None else packed
    if packed is not None:
        headers["content-encoding"] = "gzip"
    if _has(asked.get("if-none-match", ""), tag):
        start["status"], body = 304, b""
    else:
        headers["content-length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _has(asked: str, tag: str) -> bool:
    tags = {part.strip().removeprefix("W/") for part in asked.split(",")}
    return tag in tags or "*" in tags
