"""What `cbi shadow` prints."""

from __future__ import annotations

from typing import Any

import click

from cbi_common.core.errors import IncompleteError
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime import console
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from promoter.domain.shadow import ShadowBook
from promoter.shadow_handlers import shadow_key


def shadow(lake: str | None, market: str, *, simulated: bool, end: bool, as_json: bool) -> None:
    """Show the comparison, or end it."""
    key = shadow_key(market, simulated)

    async def read(bus: Bus, _settings: Settings) -> tuple[bytes | None, list[Any]]:
        state = State(bus)
        stored = await state.get(key)
        if end and stored:
            await state.put(key, b"")
        return stored, [e for e in await Journal(bus).events() if e.type == "model.shadowed"]

    stored, events = on_the_bus(lake, read)
    if not stored:
        raise IncompleteError(
            "no challenger", where=f"shadow of {market}", hint="a forecast that passes its gates begins a comparison"
        )
    book = ShadowBook.model_validate_json(stored)
    if end:
        click.echo(f"ended: run {book.challenger}, {len(book.rows)} pairs of forecasts stay in the events")
        return
    told = {e.data.horizon: e.data for e in events if e.data.challenger == book.challenger and e.data.market == market}
    if as_json:
        standings = {str(h): one.model_dump(mode="json") for h, one in told.items()}
        console.write_json(
            {**book.model_dump(mode="json", exclude={"rows"}), "pairs": len(book.rows), "standings": standings}
        )
        return
    console.simulated_banner(simulated)
    console.show(
        Table(
            title=f"Run {book.challenger} in the shadow of {book.champion} since {book.began}",
            columns=columns("<horizon", "<verdict", "e-value", "outcomes", "<"),
            rows=tuple(
                (str(h), told[h].verdict, f"{told[h].e_value or 1.0:.2f}", str(told[h].n), told[h].detail)
                for h in book.horizons
                if h in told
            ),
            note="an e-value of 20 decides; it may be looked at every day",
        )
    )
