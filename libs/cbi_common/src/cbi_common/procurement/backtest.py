"""Strategies side by side: average cost, savings with an interval, cover and timing, risk, and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.procurement.market import Market, Terms
from cbi_common.procurement.purchases import Costs, best, buy, costs
from cbi_common.procurement.result import LEAST_MONTHS, StrategyResult
from cbi_common.procurement.strategies import Strategy, spot, static
from cbi_common.timeseries.dataset import Floats

BLOCK_MONTHS = 6
REPETITIONS = 2000
SEED = 20200101

_ROUNDING = 1e-9


def backtest(market: Market, terms: Terms, strategies: Mapping[str, Strategy]) -> dict[str, StrategyResult]:
    """Return what each strategy came to over the whole span, same terms, fills and limits for all.

    Raises
    ------
    DataError
        When one is cheaper than perfect foresight: then something is wrong with the backtest.
    """
    base = costs(market, terms, buy(market, terms, spot(market, terms)))
    ceiling = costs(market, terms, best(market, terms))
    return {name: _result(market, terms, name, strategy, base, ceiling) for name, strategy in strategies.items()}


def _result(market: Market, terms: Terms, name: str, strategy: Strategy, base: Costs, ceiling: Costs) -> StrategyResult:
    own = costs(market, terms, buy(market, terms, strategy(market, terms)))
    if (own.paid < ceiling.paid - _ROUNDING).any():
        raise DataError(f"{name} is cheaper than perfect foresight", where="procurement", hint="report this as a bug")
    same_cover = costs(market, terms, buy(market, terms, static(float(own.ahead.mean()))(market, terms)))
    whole = float(base.paid.mean())
    savings, cover = (float((base.paid - other.paid).mean()) / whole for other in (own, same_cover))
    top = float((base.paid - ceiling.paid).mean()) / whole
    carry, ahead = float(own.carry.mean()), float(own.ahead.mean())
    return StrategyResult(
        average_cost=float(own.paid.mean()),
        savings_pct=savings,
        cover_pct=cover,
        timing_pct=savings - cover,
        savings_ci=interval(base.paid, own.paid),
        cost_volatility=float(np.diff(np.log(own.paid)).std(ddof=1)) if market.months > 2 else 0.0,
        ceiling_pct=top,
        share_of_ceiling=savings / top if top > 0 else None,
        carry=carry,
        roi=(savings * whole + carry) / carry if carry > 0 else None,
        break_even_carry=(savings * whole + carry) / ahead if ahead > 0 else None,
        mean_cover=ahead,
        worst_month=float((own.paid / base.paid - 1.0).max()),
        months=market.months,
        rolled=own.rolled,
    )


def interval(base: Floats, own: Floats) -> tuple[float, float] | None:
    """Return the 90 % interval of the share saved, None where there are too few months.

    Parameters
    ----------
    base, own : (m,) float64
        Costs of the months.
    """
    if len(base) < LEAST_MONTHS:
        return None
    from arch.bootstrap import StationaryBootstrap

    drawn = StationaryBootstrap(BLOCK_MONTHS, base, own, seed=SEED)
    shares = [float((b - o).mean() / b.mean()) for (b, o), _ in drawn.bootstrap(REPETITIONS)]
    low, high = np.quantile(shares, [0.05, 0.95])
    return float(low), float(high)
