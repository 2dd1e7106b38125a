"""Dead letters for a person."""

from __future__ import annotations

from collections.abc import Sequence

from cbi_common.core.errors import UsageError
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import nothing_yet, on_the_bus
from cbi_common.runtime.deadletters import DeadLetter
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings

_PREVIEW = 60


def read(lake: str | None) -> list[DeadLetter]:
    """Return all dead letters, oldest first."""

    async def work(bus: Bus, _settings: Settings) -> list[DeadLetter]:
        return await Journal(bus).dead_letters()

    return [] if nothing_yet(lake) else on_the_bus(lake, work)


def read_one(lake: str | None, number: int) -> DeadLetter:
    """Return one dead letter.

    Raises
    ------
    UsageError
        When there is none with this number.
    """

    async def work(bus: Bus, _settings: Settings) -> DeadLetter:
        return await Journal(bus).dead_letter(number)

    _refuse_empty(lake)
    return on_the_bus(lake, work)


def replay(lake: str | None, number: int | None) -> list[DeadLetter]:
    """Send one letter again, or all when ``number`` is None."""

    async def work(bus: Bus, _settings: Settings) -> list[DeadLetter]:
        journal = Journal(bus)
        numbers = [number] if number is not None else [letter.number for letter in await journal.dead_letters()]
        return [await journal.replay(one) for one in numbers]

    _refuse_empty(lake)
    return on_the_bus(lake, work)


def table(found: Sequence[DeadLetter]) -> Table:
    """Return the list for a person."""
    return Table(
        title="Dead letters",
        columns=columns("no", "<published", "<subject", "<given up by", "tries", "<reason", "<payload"),
        rows=tuple(
            (
                str(letter.number), f"{letter.time:%Y-%m-%d %H:%M:%S}", letter.subject, letter.consumer,
                str(letter.deliveries), letter.reason, _preview(letter),
            )
            for letter in found
        ),
        note="`cbi dead show NO` has the message, `cbi dead replay NO` sends it again" if found else "there are none",
    )  # fmt: skip


def _preview(letter: DeadLetter) -> str:
    text = letter.payload or "(kept in its stream only)"
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}…"


def _refuse_empty(lake: str | None) -> None:
    if nothing_yet(lake):
        raise UsageError("there are none: nothing has run yet", where="dead letters", hint="check --lake")
