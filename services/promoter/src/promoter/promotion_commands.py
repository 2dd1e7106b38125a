"""``cbi champion``, ``cbi promote``, ``cbi rollback``, ``cbi shadow``, ``cbi package``, ``cbi serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import examples, horizon_choice, json_option, lake_option

if TYPE_CHECKING:
    from cbi_common.runtime.commands.options import View

from cbi_common.runtime.commands.options import over_a_run

_market = click.option("--market", default="zl", show_default=True, help="Market.")
_simulated = click.option(
    "--simulated", is_flag=True, help="The champion of the simulated market, not of the real one."
)


@click.command(epilog=examples("cbi champion", "cbi champion --history --json"))
@click.option("--history", is_flag=True, help="Every promotion and rollback there has been (the ledger).")
@_market
@_simulated
@lake_option
@json_option
def champion(history: bool, market: str, simulated: bool, lake: str | None, as_json: bool) -> None:
    """Show who serves, who served before, and a promotion under way."""
    from promoter import champion_views

    champion_views.champion(lake, market, simulated=simulated, history=history, as_json=as_json)


@click.command(
    epilog=examples(
        "cbi promote                              what would be done, and what it would cost",
        "cbi promote --policy relative --yes      do it, on this machine",
        "cbi promote --without-shadow --yes       the first champion: there is nobody to be compared with",
        "cbi promote --horizon 1m --share 10 --yes   one horizon, a tenth of the requests",
        "cbi promote --target vertex              what Vertex AI would be asked for, and what it would cost",
        "cbi promote --abandon                    give up a promotion under way",
    )
)
@click.option("--horizon", "horizons", multiple=True, type=horizon_choice, help="Only this [default: all that pass].")
@click.option("--policy", default="plan", show_default=True, metavar="NAME", help="Gates that decide (plan, relative).")
@click.option(
    "--target", type=click.Choice(["local", "vertex"]), default="local", show_default=True, help="Where it is to serve."
)
@click.option("--share", type=click.IntRange(1, 100), default=100, show_default=True, help="Percent of the requests.")
@click.option("--without-shadow", is_flag=True, help="Although it has not been compared with the champion day by day.")
@click.option("--yes", is_flag=True, help="Do it; without this nothing is changed.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done (the default).")
@click.option("--abandon", is_flag=True, help="Give up the promotion under way and take away what it has left.")
@over_a_run
def promote(
    view: View,
    horizons: tuple[str, ...],
    policy: str,
    target: str,
    share: int,
    without_shadow: bool,
    yes: bool,
    dry_run: bool,
    abandon: bool,
) -> int:
    """Let the ensemble of a run serve, at the horizons that pass their gates.

    Says first what would be done. A promotion that was interrupted goes on where it was. Exit code 4 when no horizon
    passes.
    """
    from promoter import promotion_views

    if abandon:
        return promotion_views.abandon(view)
    asked = promotion_views.Asked(horizons, policy, target, share, without_shadow, yes and not dry_run)
    return promotion_views.promote(view, asked)


@click.command(epilog=examples("cbi rollback --yes"))
@click.option("--yes", is_flag=True, help="Do it; without this nothing is changed.")
@_market
@_simulated
@lake_option
@json_option
def rollback(yes: bool, market: str, simulated: bool, lake: str | None, as_json: bool) -> None:
    """Let the champion before the present one serve again."""
    from promoter import champion_views

    champion_views.rollback(lake, market, simulated=simulated, yes=yes, as_json=as_json)


@click.command(epilog=examples("cbi shadow", "cbi shadow --end"))
@click.option("--end", is_flag=True, help="End the comparison; the next forecast that passes may be a challenger.")
@_market
@_simulated
@lake_option
@json_option
def shadow(end: bool, market: str, simulated: bool, lake: str | None, as_json: bool) -> None:
    """Show how the challenger in the shadow compares with the champion."""
    from promoter import shadow_views

    shadow_views.shadow(lake, market, simulated=simulated, end=end, as_json=as_json)


@click.command(epilog=examples("cbi package --to model", "cbi serve --package model"))
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False), metavar="DIR", help="Empty folder.")
@over_a_run
def package(view: View, folder: str) -> None:
    """Write the ensemble of a run as a folder that can be served anywhere."""
    from promoter import promotion_views

    promotion_views.package(view, folder)


@click.command(
    epilog=examples(
        "cbi serve                       whatever is promoted on this lake",
        "cbi serve --package model       one package",
        "cbi serve --newest              the newest forecast, for questions of what-if",
        """curl -d '{"instances": [{"horizon": "1m"}]}' -H 'content-type: application/json' 127.0.0.1:8080/predict""",
    )
)
@click.option("--package", "folder", metavar="DIR", help="One package instead of what is promoted.")
@click.option("--newest", is_flag=True, help="The newest forecast of the lake, whether or not it is promoted.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port on 127.0.0.1.")
@lake_option
def serve(folder: str | None, newest: bool, port: int, lake: str | None) -> None:
    """Answer predictions over HTTP.

    On Vertex AI the platform says where: AIP_STORAGE_URI, AIP_HTTP_PORT, AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE go
    before the options.
    """
    from promoter.serving.process import serve as run

    if newest and folder:
        raise click.UsageError("give --newest or --package, not both.")
    run(folder, port, lake, newest=newest)
