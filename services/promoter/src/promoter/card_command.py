"""``cbi card``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option

if TYPE_CHECKING:
    from cbi_common.runtime.bus import Bus
    from cbi_common.runtime.settings import Settings


@click.command(epilog=examples("cbi card", "cbi card --run 1a2b", "cbi card --champion >card.md"))
@click.option("--run", "run_id", metavar="ID", help="Run id, event id or a prefix [default: latest complete run].")
@click.option("--champion", is_flag=True, help="The card of whoever serves, as it was stored at the promotion.")
@click.option("--market", default="zl", show_default=True, help="Of --champion: market.")
@click.option("--simulated", is_flag=True, help="Of --champion: of the simulated market, not of the real one.")
@lake_option
@json_option
def card(run_id: str | None, champion: bool, market: str, simulated: bool, lake: str | None, as_json: bool) -> None:
    """Print a model card in Markdown: what a forecast is made of, what it was worth, where not to trust it."""
    from cbi_common.runtime import console

    if champion and run_id:
        raise click.UsageError("give --champion or --run, not both.")
    told, of = _stored(lake, market, simulated=simulated) if champion else _made(lake, run_id)
    if as_json:
        console.write_json({**of, "markdown": told})
    else:
        click.echo(told, nl=False)


def _made(lake: str | None, run_id: str | None) -> tuple[str, dict[str, str | None]]:
    from cbi_common.reporting.card import model_card
    from cbi_common.runtime.commands.reading import choose_run, read_runs

    run = choose_run(read_runs(lake), run_id)
    return model_card(run), {"run_id": run.run_id, "version": None}


def _stored(lake: str | None, market: str, *, simulated: bool) -> tuple[str, dict[str, str | None]]:
    from cbi_common.core.errors import IncompleteError, InfrastructureError
    from cbi_common.reporting.card import card_key
    from cbi_common.runtime.commands.reading import on_the_bus
    from cbi_common.runtime.state import State
    from cbi_common.storage.lake import Lake
    from promoter.domain.champion import Champion, champion_key

    async def read(bus: Bus, settings: Settings) -> tuple[bytes | None, str]:
        return await State(bus).get(champion_key(market, simulated)), settings.lake

    pointer, url = on_the_bus(lake, read)
    now = Champion.model_validate_json(pointer).now if pointer else None
    if now is None:
        hint = "`cbi gates` says who might; `cbi card` makes one of a run"
        raise IncompleteError("nobody serves yet", where=f"champion of {market}", hint=hint)
    kept = Lake(url).get_if_intact(card_key(now.version))
    if kept is None:
        hint = f"`cbi card --run {now.run_id}` makes one"
        raise InfrastructureError("its card is not in the lake", where=f"version {now.version}", hint=hint)
    return kept.decode(), {"run_id": now.run_id, "version": now.version}
