"""The frame of a chart: its size, its axes, and what is said of it to those who do not see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from dashboard.domain.charts.ink import element
from dashboard.domain.charts.scale import Scale, Tick


class Size(NamedTuple):
    """Width and height in the chart's own units, and the room for the labels of its axes."""

    name: str
    width: float
    height: float
    left: float
    right: float
    bottom: float
    ticks: int
    """About how many labels fit below."""


WIDE = Size("wide", 840, 300, 48, 14, 26, 8)
NARROW = Size("narrow", 360, 240, 40, 8, 24, 4)
SIZES = (WIDE, NARROW)

_TOP = 10.0


class Cells(NamedTuple):
    """The figures behind a chart."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Key(NamedTuple):
    """An entry of the legend: a class of the style sheet and what it means."""

    mark: str
    label: str


@dataclass(frozen=True)
class Figure:
    """A chart in two widths, its legend, and the figures behind it."""

    name: str
    """Unique on its page."""
    title: str
    caption: str
    wide: Markup
    narrow: Markup
    legend: tuple[Key, ...]
    cells: Cells


@dataclass(frozen=True)
class Frame:
    """Axes of a chart of one size."""

    size: Size
    x: Scale
    y: Scale

    @classmethod
    def of(cls, size: Size, x: tuple[float, float], y: tuple[float, float]) -> Frame:
        """Return the frame in which ``x`` runs to the right and ``y`` upwards."""
        across = Scale(*x, size.left, size.width - size.right)
        return cls(size, across, Scale(*y, size.height - size.bottom, _TOP))

    def axes(self, across: Sequence[Tick], up: Sequence[Tick]) -> Markup:
        """Return grid lines with their labels."""
        left, right = self.x.start, self.x.end
        floor, parts = self.y.start, []
        for tick in up:
            y = self.y(tick.at)
            parts.append(element("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", class_="grid"))
            parts.append(element("text", tick.label, x=left - 6, y=y + 4, text_anchor="end", class_="tick"))
        for tick in across:
            x = self.x(tick.at)
            parts.append(element("path", d=f"M{x:.1f} {floor:.1f}v4", class_="grid"))
            anchor = "end" if x > right - 14 else "start" if x < left + 14 else "middle"
            parts.append(element("text", tick.label, x=x, y=floor + 18, text_anchor=anchor, class_="tick"))
        return Markup("").join(parts)


def drawing(size: Size, name: str, title: str, caption: str, *parts: Markup) -> Markup:
    """Return the picture as an image with a title and a description."""
    mark = f"{name}-{size.name}"
    return element(
        "svg",
        element("title", title, id=f"{mark}-t"),
        element("desc", caption, id=f"{mark}-d"),
        *parts,
        viewBox=f"0 0 {size.width:g} {size.height:g}",
        role="img",
        aria_labelledby=f"{mark}-t {mark}-d",
        class_=f"chart {size.name}",
    )
