"""What buying by the forecasts would have cost, beside other ways to buy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from cbi_common.events.base import Contract
from cbi_common.procurement.result import StrategyResult
from cbi_common.reporting.projection import Run, Runs
from dashboard.domain import view
from dashboard.domain.answers import Origin
from dashboard.domain.terms import Terms

_ORDER = ("spot", "ladder", "signal")
"""The baseline first, what needs no forecast next, then what these pages say; others by name."""


class BacktestAnswer(Contract):
    """Every way to buy under one set of terms."""

    origin: Origin
    terms: Terms
    months: int
    strategies: dict[str, StrategyResult]


def backtest(runs: Runs, run: Run, terms: Terms, found: Mapping[str, Any], today: date) -> BacktestAnswer:
    """Return the answer for a run, of what `dashboard.buying.tested` has found."""
    assert run.forecast is not None
    figures = found["strategies"]
    return BacktestAnswer(
        origin=view.origin_of(runs, run, run.forecast, today),
        terms=terms,
        months=found["months"],
        strategies={name: StrategyResult.model_validate(figures[name]) for name in sorted(figures, key=_place)},
    )


def _place(name: str) -> tuple[int, str]:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER), name
