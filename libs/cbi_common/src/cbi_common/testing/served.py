"""An ASGI application on a real port, in a thread of its own, for tests that need a browser or a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cbi_common.runtime.serving import HttpServer


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application and yield its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = HttpServer(app, "127.0.0.1", 0, "test")
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
