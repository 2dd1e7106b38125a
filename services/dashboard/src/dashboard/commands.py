"""``cbi backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, horizon_choice, over_a_run

if TYPE_CHECKING:
    from cbi_common.procurement.result import StrategyResult
    from cbi_common.reporting.tables import Table


@click.command(
    epilog=examples(
        "cbi backtest                          buying by the forecasts of the latest run",
        "cbi backtest --need 1200000 --cover 3 --carry 0.4",
        "cbi backtest --basis basis.csv        columns day, basis: what was paid on top, from that day on",
        "cbi backtest --horizon 1m --json",
    )
)
@click.option("--horizon", type=horizon_choice, default="3m", show_default=True, help="Forecasts to buy by.")
@click.option(
    "--need", type=click.FloatRange(min=1), default=600_000, show_default=True, help="Quantity used in a month (lb)."
)
@click.option("--carry", type=click.FloatRange(min=0), default=0.25, show_default=True, help="Cost of a month ahead.")
@click.option("--cover", type=click.IntRange(1, 12), default=6, show_default=True, help="Months ahead at most.")
@click.option(
    "--basis",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CSV",
    help="Basis from each day on, columns day and basis [default: none].",
)
@over_a_run
def backtest(view: View, horizon: str, need: float, carry: float, cover: int, file: Path | None) -> None:
    """Say what buying by the forecasts would have cost.

    Forecasts as they were served at each cutoff; decisions at that day's close, filled at the next. Every strategy has
    the same terms, fills and limits. The baseline buys each month at spot; the ceiling knows the future.
    """
    from cbi_common.core.horizon import Horizon
    from cbi_common.markets.files import load_market
    from cbi_common.procurement.market import Terms
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.lake import Lake
    from dashboard.deciding import decide, read_basis

    settings = Settings.load(lake=view.lake)
    forecast = view.need(view.run.forecast, "forecast").data
    lot = load_market(forecast.market, settings.markets).lot_size
    terms = Terms(need=need, carry=carry, cover=cover, lot=lot or need)
    basis = read_basis(file) if file else {}
    market, found = decide(Lake(settings.lake), forecast, terms, Horizon(horizon), basis)
    months = market.months
    view.show(
        _table(view, horizon, months, found, carry),
        "backtest",
        {n: r.model_dump(mode="json") for n, r in found.items()},
    )


def _table(view: View, horizon: str, months: int, found: dict[str, StrategyResult], carry: float) -> Table:
    from cbi_common.reporting.tables import UNKNOWN, Table, columns, heading, number, percent

    unit = view.report.unit or UNKNOWN
    ceiling = next(iter(found.values())).ceiling_pct
    most = max(result.rolled for result in found.values())
    rolled = f"up to {percent(most, digits=0)} of the pounds were filled on a roll day"

    def interval(result: StrategyResult) -> str:
        if result.savings_ci is None:
            return UNKNOWN
        low, high = result.savings_ci
        return f"{percent(low, signed=True)} to {percent(high, signed=True)}"

    return Table(
        title=f"Buying by the {horizon} forecasts, {months} months · {heading(view.report)}",
        columns=columns(
            "<strategy", unit, "saved", "90 % interval", "cover", "timing", "cost moves", "months ahead", "break-even"
        ),
        rows=tuple(
            (
                name, number(r.average_cost), percent(r.savings_pct, signed=True), interval(r),
                percent(r.cover_pct, signed=True), percent(r.timing_pct, signed=True), percent(r.cost_volatility),
                number(r.mean_cover, 1), number(r.break_even_carry),
            )
            for name, r in found.items()
        ),
        note=(
            f"perfect foresight would have saved {percent(ceiling)}; saved = cover (no forecast needed) + timing; "
            "front-month prices, no contract curve: what is bought ahead costs the price plus the carry assumed "
            f"({carry:g} a month; break-even: the carry at which nothing would have been saved); {rolled}"
        ),
    )  # fmt: skip
