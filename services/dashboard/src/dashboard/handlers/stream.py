"""Tells a page that something happened, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from dashboard.handlers.site import Site

_LOOK_S = 0.5
_ALIVE_AFTER = 30
"""Looks without news after which a comment tells that the connection still stands."""


def add(api: FastAPI, site: Site) -> None:
    """Add the stream of changes (server-sent events)."""

    @api.get("/api/stream", include_in_schema=False)
    async def stream() -> StreamingResponse:
        return StreamingResponse(changes(site), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def changes(site: Site) -> AsyncIterator[str]:
    """Yield an event now and whenever something new is known; a change that comes with others is told once."""
    told, silent = -1, 0
    while True:
        version = site.known.version
        if version != told:
            told, silent = version, 0
            yield f"event: change\nid: {version}\ndata: {version}\n\n"
        elif silent >= _ALIVE_AFTER:
            silent = 0
            yield ": alive\n\n"
        silent += 1
        await asyncio.sleep(_LOOK_S)
