"""Reads the forecasts of a run as they were served, and buys by them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from cbi_common.core.errors import DataError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.procurement.backtest import backtest
from cbi_common.procurement.market import Market, Terms, market_of
from cbi_common.procurement.result import StrategyResult
from cbi_common.procurement.strategies import (
    AGGRESSIVE,
    CONSERVATIVE,
    RISK_AVERSE,
    SIGNAL,
    Outlook,
    Strategy,
    by_forecast,
    ladder,
    spot,
)
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of as market_file_of
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.expiry import rolled_on
from cbi_common.training.datasets import load_dataset

DECIDING = Horizon.M3
"""Horizon that is bought by: about as far ahead as half the usual cover limit reaches."""


def decide(
    lake: Lake,
    forecast: ForecastReady,
    terms: Terms,
    horizon: Horizon = DECIDING,
    basis: Mapping[date, float] | None = None,
) -> tuple[Market, dict[str, StrategyResult]]:
    """Return the market of the scored cutoffs and what each strategy came to.

    Decisions use what was served at a cutoff and its close; they are filled at the close of the session after, on top
    of which is paid the basis of the latest day that ``basis`` names (none before the first).

    Raises
    ------
    DataError
        When the run has no forecast at the horizon, or too short a history.
    """
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    if horizon not in manifest.windows:
        raise DataError(f"no forecast at {horizon}", where=f"run {forecast.run_id}")
    panel = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    served = _served(lake, forecast, manifest, horizon)
    spec = market_file_of(lake, manifest)
    market = market_of(
        served["session"], panel.sessions, panel.price, terms.cover, basis=_basis(panel, basis or {}),
        rolls=None if spec.expiry is None else rolled_on(panel.dates, *spec.expiry),
    )  # fmt: skip
    rows = np.searchsorted(served["session"], market.sessions)
    move, sd = np.expm1(served["y_hat"][rows]), served["sd"][rows]
    sure = _probability(served["y_hat"][rows], sd)
    return market, backtest(market, terms, strategies(Outlook(move), Outlook(move, sure)))


def strategies(plain: Outlook, sure: Outlook) -> Mapping[str, Strategy]:
    """Return the strategies that are compared, by name; the ceiling stands in every result."""
    return {
        "spot": spot,
        "ladder": ladder,
        "conservative": by_forecast(plain, CONSERVATIVE),
        "aggressive": by_forecast(plain, AGGRESSIVE),
        "risk_averse": by_forecast(plain, RISK_AVERSE),
        "signal": by_forecast(sure, SIGNAL),
    }


def _basis(panel: Dataset, basis: Mapping[date, float]) -> Floats:
    days = np.array(sorted(basis), dtype="datetime64[D]")
    paid = np.array([0.0, *(basis[day] for day in sorted(basis))])
    return paid[np.searchsorted(days, panel.dates, side="right")]


def _served(lake: Lake, forecast: ForecastReady, manifest: RunManifest, horizon: Horizon) -> dict[str, Any]:
    table, window = get_table(lake, forecast.served), manifest.windows[horizon]
    columns = {name: table[name].to_numpy() for name in ("horizon", "session", "y_hat", "sd")}
    rows = (columns["horizon"] == str(horizon)) & (columns["session"] >= window.start)
    return {name: values[rows] for name, values in columns.items()}


def _probability(y_hat: Any, sd: Any) -> Any:
    """Probability of a rise by the normal distribution; the live one adds what past errors say."""
    from scipy.special import ndtr

    return ndtr(y_hat / sd)


def read_basis(file: Path) -> dict[date, float]:
    """Return the basis from each day on.

    Raises
    ------
    UsageError
        When a column is missing or a value is no day or number.
    """
    found: dict[date, float] = {}
    with file.open(encoding="utf-8-sig", newline="") as text:
        for number, row in enumerate(csv.DictReader(text), start=2):
            try:
                found[date.fromisoformat(row["day"])] = float(row["basis"])
            except (KeyError, TypeError, ValueError):
                what = "it needs the columns day (YYYY-MM-DD) and basis (a number)"
                raise UsageError(what, where=f"{file}, line {number}") from None
    if not found or not all(map(math.isfinite, found.values())):
        raise UsageError("no rows, or a basis that is no number", where=str(file))
    return found
