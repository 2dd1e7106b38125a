"""Boundaries: counted per service and event, struck once, before and after and at the acknowledgement."""

from __future__ import annotations

import asyncio

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Boundary, Fault, Moment
from cbi_common.testing.chaos.triggers import Triggers

ACK = Publish("$JS.ACK.EVENTS.regime--detect.1.2.3.4.5", b"")
BEAT = Publish("$JS.ACK.EVENTS.regime--detect.1.2.3.4.5", b"+WPI")
DETECTED = Publish("regime.detected", b"{}")


def struck(moment: Moment, nth: int, publishes: list[tuple[str, Publish]], *, kept: bool = True) -> list[str]:
    """Return, for each time that the fault struck, where; and what was kept from the bus."""
    said: list[str] = []

    async def strike(_fault: Fault, publish: Publish) -> bool:
        said.append(f"struck {publish.subject}")
        return kept

    async def go() -> None:
        triggers = Triggers()
        triggers.begin((Fault("kill", Boundary("regime", "regime.detected", nth, moment)),), strike)
        for service, publish in publishes:
            if await triggers.tap(service, publish, "before"):
                said.append(f"bus {publish.subject}")
                await triggers.tap(service, publish, "after")

    asyncio.run(go())
    return said


def test_before_it_is_on_its_way_and_may_be_kept_from_the_bus() -> None:
    twice = [("regime", DETECTED), ("regime", DETECTED)]
    assert struck("before", 1, twice, kept=False) == ["struck regime.detected", "bus regime.detected"]


def test_after_the_bus_has_it() -> None:
    assert struck("after", 1, [("regime", DETECTED)]) == ["bus regime.detected", "struck regime.detected"]


def test_the_nth_of_that_service_alone() -> None:
    said = struck("after", 2, [("regime", DETECTED), ("monitor", DETECTED), ("regime", DETECTED)])
    assert said == ["bus regime.detected"] * 3 + ["struck regime.detected"]


def test_at_the_acknowledgement_that_follows_and_no_heartbeat() -> None:
    said = struck("unacknowledged", 1, [("regime", BEAT), ("regime", DETECTED), ("regime", BEAT), ("regime", ACK)])
    assert said == [
        f"bus {BEAT.subject}",
        "bus regime.detected",
        f"bus {BEAT.subject}",
        "struck regime.detected",
        f"bus {ACK.subject}",
    ]


def test_what_was_said_is_kept_in_order() -> None:
    async def go() -> list[str]:
        triggers = Triggers()
        for publish in (DETECTED, Publish("$KV.x", b""), Publish("alert.raised", b"")):
            await triggers.tap("regime", publish, "before")
        return [publish.subject for publish in triggers.said]

    assert asyncio.run(go()) == ["regime.detected", "alert.raised"]
