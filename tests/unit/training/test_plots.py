"""Plots of a track record: equal inputs give equal bytes, and the yardstick is on every one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cbi_common.training.plots import Record, forecast_plot, horizon_plot, residual_plot

DAYS = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")
RNG = np.random.default_rng(4)
ACTUAL = 50 + np.cumsum(RNG.normal(size=len(DAYS)))
RECORD = Record(
    title="Soybean oil · lgbm at 1m",
    horizon="1m",
    unit="¢/lb",
    yardstick_name="no change",
    dates=DAYS,
    forecast=ACTUAL + RNG.normal(size=len(DAYS)),
    yardstick=ACTUAL - 1.0,
    actual=ACTUAL,
)
PLOTS = {
    "forecast": lambda: forecast_plot(RECORD),
    "residuals": lambda: residual_plot(RECORD),
    "horizon": lambda: horizon_plot("Soybean oil · lgbm", [RECORD, replace(RECORD, horizon="1w", forecast=ACTUAL)]),
}


@pytest.mark.parametrize("name", PLOTS)
def test_equal_inputs_give_equal_bytes_that_name_the_yardstick_and_the_unit(name) -> None:
    svg = PLOTS[name]()
    assert svg == PLOTS[name]()
    text = svg.decode()
    assert text.startswith("<?xml")
    for word in ("Soybean oil · lgbm", "no change", "forecast", "¢/lb"):
        assert f">{word}" in text or f"{word}<" in text, word


def test_the_actual_is_drawn_where_it_is_compared() -> None:
    assert ">actual<" in forecast_plot(RECORD).decode()


def test_another_forecast_is_another_plot() -> None:
    assert forecast_plot(RECORD) != forecast_plot(replace(RECORD, forecast=ACTUAL))
