"""Plots of a model's track record, from its stored predictions alone: nothing is forecast again.

Every plot shows the yardstick on the same rows. Equal inputs give equal SVG; no display is needed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL, YARDSTICK, ACTUAL = "#1f77b4", "#b8b8b8", "#000000"
_BINS = 24
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "cbi",
    # Letters stay letters: half the bytes, and the plot can be searched.
    "svg.fonttype": "none",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.borderaxespad": 0.2,
    "path.simplify": True,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Record:
    """Forecasts whose outcome is known.

    Attributes
    ----------
    title : str
        What was forecast, of which model, on which data; stands over every plot.
    horizon : str
    unit : str
        Of the numbers below.
    yardstick_name : str
    dates : (n,) datetime64[D], ascending
        Days of the outcomes.
    forecast, yardstick, actual : (n,) float64
    """

    title: str
    horizon: str
    unit: str
    yardstick_name: str
    dates: NDArray[np.datetime64]
    forecast: Floats
    yardstick: Floats
    actual: Floats

    @property
    def errors(self) -> Floats:
        """Forecast minus actual, (n,)."""
        return self.forecast - self.actual

    @property
    def yardstick_errors(self) -> Floats:
        """Yardstick minus actual, (n,)."""
        return self.yardstick - self.actual


def forecast_plot(record: Record) -> bytes:
    """Return an SVG of forecast and yardstick against what happened."""
    with _figure(record.title) as figure:
        axes = figure.add_subplot()
        axes.plot(record.dates, record.actual, color=ACTUAL, lw=1.2, label="actual")
        axes.plot(record.dates, record.yardstick, color=YARDSTICK, lw=2.0, label=record.yardstick_name)
        axes.plot(record.dates, record.forecast, color=MODEL, lw=0.9, label="forecast")
        axes.set_ylabel(record.unit)
        return _finished(figure, axes)


def residual_plot(record: Record) -> bytes:
    """Return an SVG of the errors over time and their distribution."""
    with _figure(f"{record.title}: forecast minus actual") as figure:
        over_time, distribution = figure.subplots(1, 2, sharey=True, width_ratios=(5, 1))
        series = (
            (record.yardstick_errors, YARDSTICK, 2.0, record.yardstick_name),
            (record.errors, MODEL, 0.9, "forecast"),
        )
        edges = np.histogram_bin_edges(np.concatenate([errors for errors, *_ in series]), _BINS)
        for errors, colour, width, name in series:
            over_time.plot(record.dates, errors, color=colour, lw=width, label=name)
            counts, _ = np.histogram(errors, edges)
            distribution.stairs(counts, edges, orientation="horizontal", color=colour, lw=width)
        for axes in (over_time, distribution):
            axes.axhline(0.0, color=ACTUAL, lw=0.6)
        over_time.set_ylabel(record.unit)
        # Its shape says all, and ticks are most of what a plot costs.
        distribution.set_axis_off()
        return _finished(figure, over_time)


def horizon_plot(title: str, records: Sequence[Record]) -> bytes:
    """Return an SVG of the mean absolute error of one model at each of its horizons, beside the yardstick's."""
    with _figure(f"{title}: mean absolute error") as figure:
        axes, places = figure.add_subplot(), np.arange(len(records))
        own = [float(np.abs(record.errors).mean()) for record in records]
        others = [float(np.abs(record.yardstick_errors).mean()) for record in records]
        axes.plot(places, others, "s-", color=YARDSTICK, lw=2.0, label=records[0].yardstick_name)
        axes.plot(places, own, "o-", color=MODEL, lw=0.9, label="forecast")
        axes.set_xticks(places, [f"{record.horizon}\nn = {len(record.dates)}" for record in records])
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel(records[0].unit)
        return _finished(figure, axes)


@contextmanager
def _figure(title: str) -> Iterator[Figure]:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(_STYLE):  # type: ignore[arg-type]  # the stubs want every key spelled out as a literal
        figure = Figure(figsize=(8, 3.2))
        FigureCanvasAgg(figure)
        # By hand: a layout engine draws everything three times.
        figure.subplots_adjust(left=0.08, right=0.985, bottom=0.13, top=0.88, wspace=0.05)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
        yield figure


def _finished(figure: Figure, axes: Axes) -> bytes:
    """Add the legend, on the line of the title where it hides no data, and return the SVG."""
    figure.legend(*axes.get_legend_handles_labels(), loc="upper right", ncols=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
