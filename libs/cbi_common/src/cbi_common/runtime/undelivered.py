"""Messages that the bus itself gave up: they killed their process every time, so nobody could count their failures."""

from __future__ import annotations

import json
import logging
from contextlib import suppress

from nats import errors as nats_errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import BaseModel, ConfigDict

from cbi_common.core.clock import Clock
from cbi_common.core.errors import CbiError
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.streams import ADVISORY_PREFIX

_log = logging.getLogger(__name__)


class Advisory(BaseModel):
    """What the bus says about a message that it delivered as often as it may; the DEAD stream keeps these by itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream: str
    consumer: str
    stream_seq: int
    deliveries: int


class Undelivered:
    """Raises an alert for each such message, from one of the processes that listen."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Start to listen."""
        with unavailable("advisories"):
            self._subscription = await self._bus.client.subscribe(
                f"{ADVISORY_PREFIX}>", queue="undelivered", cb=self._alert
            )

    async def stop(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            with suppress(nats_errors.Error):
                await self._subscription.unsubscribe()
            self._subscription = None

    async def _alert(self, message: Msg) -> None:
        advisory = Advisory.model_validate(json.loads(message.data))
        place = f"{advisory.consumer}:{advisory.stream}:{advisory.stream_seq}"
        alert = AlertRaised(
            severity="critical",
            source=advisory.consumer,
            what=f"a message was delivered {advisory.deliveries} times and nobody answered ({place})",
            hint="its handler kills the process: see `cbi dead list` and the log",
        )
        event_id = derived_id(place, AlertRaised.subject)
        try:
            await self._bus.publish(Envelope.first(alert, source="runtime", now=self._clock(), event_id=event_id))
        except CbiError as error:
            _log.error("cannot raise an alert: %s", error)
