"""What a person may have the dashboard do, each recorded as an event before it is done."""

from __future__ import annotations

from typing import Any

from cbi_common.core.clock import Clock
from cbi_common.core.errors import UsageError
from cbi_common.core.identity import derived_id, digest
from cbi_common.events.action import ActionTaken
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.data import DataRequested
from cbi_common.events.manifest import Profile
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.streams import PROMOTIONS
from dashboard.adapters.feed import letters
from dashboard.domain.known import Known

_SOURCE = "dashboard"


class Actions:
    """Publishes on the bus."""

    def __init__(self, bus: Bus, known: Known, clock: Clock) -> None:
        self._bus, self._known, self._clock = bus, known, clock
        self._journal = Journal(bus)

    async def replay(self, number: int, by: str) -> None:
        """Send a message that was given up again.

        Raises
        ------
        UsageError
            When there is none with this number, it is no longer kept, or it tells of a promotion.
        TransientError
            While the bus is away.
        """
        letter = await self._journal.dead_letter(number)
        if letter.subject in {event.subject for event in PROMOTIONS}:  # the bus would refuse it, and not say why
            hint = f"`cbi dead replay {number}` sends it again"
            raise UsageError("the page may not tell of promotions", where=f"dead letter {number}", hint=hint)
        what = f"dead letter {number} ({letter.subject}) sent again"
        await self._bus.publish(self._taken("replay", by, what, None, f"{letter.stream}:{letter.sequence}:{number}"))
        await self._journal.replay(number)
        self._known.give_up(await letters(self._journal))

    async def run(self, market: str, profile: Profile, by: str, seen: int) -> str:
        """Ask for data, and with them for a pass; return its id.

        Parameters
        ----------
        seen : int
            Version of the page that the person saw: asking twice from one page asks once.
        """
        said = f"{market}, profile {profile}"
        taken = self._taken("run", by, said, market, f"{said}:{seen}")
        await self._bus.publish(taken)
        request = DataRequested(market=market, profile=profile, reason=f"by hand: {by}")
        asked = taken.caused(request, source=_SOURCE, now=self._clock())
        await self._bus.publish(asked)
        return asked.id

    async def decide(self, data: EventData, seen: int) -> str:
        """Publish what the buyer decided, and know it at once; return the event's id.

        Parameters
        ----------
        data : EventData
            One of the buyer's events.
        seen : int
            Version of the page that the person saw: what is sent twice from one page is recorded once.
        """
        once = digest(data.model_dump(mode="json"), seen)
        event: Envelope[Any] = Envelope.first(
            data, source=_SOURCE, now=self._clock(), event_id=derived_id(_SOURCE, data.subject, once)
        )
        await self._bus.publish(event)
        self._known.apply(event)
        return event.id

    def _taken(self, action: str, by: str, what: str, market: str | None, once: str) -> Envelope[EventData]:
        data = ActionTaken.model_validate({"market": market, "by": by, "action": action, "what": what})
        event_id = derived_id(_SOURCE, action, once)
        return Envelope.first(data, source=_SOURCE, now=self._clock(), event_id=event_id)
