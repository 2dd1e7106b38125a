"""What the commands about the champion print: who serves, who served, and the way back."""

from __future__ import annotations

from typing import Any

import click

from cbi_common.core.errors import UsageError
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime import console
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.streams import LEDGER, PROMOTIONS
from promoter.domain.champion import Champion, Serving, champion_key
from promoter.domain.promotion import Promotion, promotion_key
from promoter.target_setup import with_promoting


def champion(lake: str | None, market: str, *, simulated: bool, history: bool, as_json: bool) -> None:
    """Show the pointer, or the ledger."""
    if history:
        _ledger(lake, market, as_json=as_json)
        return

    async def read(bus: Bus, _settings: Settings) -> tuple[bytes | None, bytes | None]:
        state = State(bus)
        return await state.get(champion_key(market, simulated)), await state.get(promotion_key(market, simulated))

    pointer, underway = on_the_bus(lake, read)
    found = Champion() if pointer is None else Champion.model_validate_json(pointer)
    promotion = None if underway is None else Promotion.model_validate_json(underway)
    running = promotion if promotion is not None and promotion.status == "running" else None
    if as_json:
        console.write_json({**found.model_dump(mode="json"), "under_way": running and running.model_dump(mode="json")})
        return
    console.simulated_banner(simulated)
    lines = [*([("serves", found.now)] if found.now else []), *(("served", one) for one in reversed(found.former))]
    note = f"a promotion of run {running.run_id} is under way, {len(running.done)} steps done" if running else ""
    if not lines:
        note = note or f"nobody serves {market} yet: `cbi gates` says who might, `cbi promote` what would be done"
    console.show(
        Table(
            title=f"Champion of {market}",
            columns=columns("<", "<version", "<run", "<target", "<policy", "<horizons", "<since"),
            rows=tuple((word, *_line(one)) for word, one in lines),
            note=note,
        )
    )


def rollback(lake: str | None, market: str, *, simulated: bool, yes: bool, as_json: bool) -> None:
    """Put the former champion back."""

    async def read(bus: Bus, _settings: Settings) -> bytes | None:
        return await State(bus).get(champion_key(market, simulated))

    stored = on_the_bus(lake, read)
    found = Champion() if stored is None else Champion.model_validate_json(stored)
    if found.now is None or not found.former:
        raise UsageError("nobody served before", where=f"champion of {market}", hint="`cbi champion` shows who does")
    if not yes:
        former = found.former[-1]
        click.echo(f"{former.version} (run {former.run_id}) would serve in place of {found.now.version}: add --yes")
        return
    after = with_promoting(lake, lambda promoting: promoting.rollback(market, simulated=simulated, reports={}))
    show_champion(after, market, as_json=as_json)


def show_champion(after: Champion, market: str, *, as_json: bool) -> None:
    """Say who serves now."""
    if as_json:
        console.write_json({**after.model_dump(mode="json"), "done": True})
        return
    assert after.now is not None
    click.echo(
        f"{after.now.version} (run {after.now.run_id}) serves {market} at {', '.join(map(str, after.now.horizons))}"
    )
    click.echo(
        "`cbi card --champion` says what it is; `cbi serve` answers on 127.0.0.1:8080; `cbi rollback --yes` ends it"
    )


def _line(one: Serving) -> tuple[str, ...]:
    horizons = ", ".join(map(str, one.horizons))
    return (one.version, one.run_id, one.target, one.policy, horizons, f"{one.since:%Y-%m-%d %H:%M}")


def _ledger(lake: str | None, market: str, *, as_json: bool) -> None:
    async def read(bus: Bus, _settings: Settings) -> list[Any]:
        journal = Journal(bus)
        # The ledger is fed from the events, a moment later; what is older than those lies in the ledger alone.
        kinds = [kind.subject for kind in PROMOTIONS]
        told = [*await journal.events(kinds, stream=LEDGER), *await journal.events(kinds)]
        found = {event.id: event for event in told}
        return sorted(found.values(), key=lambda event: (event.time, event.id))

    events = [event for event in on_the_bus(lake, read) if event.data.market == market]
    if as_json:
        console.write_json([event.model_dump(mode="json") for event in events])
        return
    rows = tuple((f"{event.time:%Y-%m-%d %H:%M}", event.type, *_words(event.data)) for event in events)
    console.show(Table(f"Ledger of {market}", columns("<time", "<event", "<run", "<horizon", "<"), rows))


def _words(data: Any) -> tuple[str, str, str]:
    horizon = str(getattr(data, "horizon", "") or ", ".join(map(str, getattr(data, "gates", {}))))
    if data.subject == "model.promoted":
        back = "put back" if data.rollback else "promoted"
        return data.run_id, horizon, f"{back} at {data.target} as {data.version} by policy {data.policy}"
    if data.subject == "model.shadowed":
        return data.run_id, horizon, f"{data.verdict}: {data.detail}"
    return data.run_id, horizon, data.reason
