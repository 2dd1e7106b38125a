"""Pulling one message at a time from a consumer, over outages of the bus."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from nats import errors as nats_errors
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext

from cbi_common.runtime.bus import Bus

_log = logging.getLogger(__name__)

_PAUSE_S = 0.1


class Pull:
    """Stands between FastStream's loop and the client's pull subscription.

    While the bus is away it asks for nothing: the client would keep every request and send them all on reconnecting,
    and the bus would deliver a message for each to a handler that can take one. An error becomes a timeout, which the
    loop takes as "nothing there" and asks again.
    """

    def __init__(self, subscription: JetStreamContext.PullSubscription, bus: Bus) -> None:
        self._subscription = subscription
        self._bus = bus
        self._closed = False

    async def fetch(self, batch: int = 1, timeout: float | None = None) -> list[Msg]:  # noqa: ASYNC109  # the client's own signature
        """Return the next message.

        Raises
        ------
        nats.errors.TimeoutError
            When there is none.
        """
        if self._closed or not self._bus.connected:
            await asyncio.sleep(_PAUSE_S)
            raise nats_errors.TimeoutError
        try:
            return await self._subscription.fetch(batch, timeout)
        except nats_errors.TimeoutError:
            raise
        except nats_errors.Error as error:
            _log.debug("cannot pull: %s", error)
            await asyncio.sleep(_PAUSE_S)
            raise nats_errors.TimeoutError from error

    async def close(self) -> None:
        """Withdraw the request that waits at the bus, so that nothing is delivered any more."""
        self._closed = True
        with suppress(nats_errors.Error):
            await self._subscription.unsubscribe()

    async def unsubscribe(self) -> None:
        """Do as `close`; the name that FastStream calls."""
        if not self._closed:
            await self.close()
