"""Lines over time, with a band and a background where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from markupsafe import Markup

from dashboard.domain.charts.frame import SIZES, Cells, Figure, Frame, Key, Size, drawing
from dashboard.domain.charts.ink import area, element, path
from dashboard.domain.charts.scale import Tick, day_ticks, extent, number_ticks

Values = Sequence[float]

_LABEL = 18.0


@dataclass(frozen=True)
class Line:
    """Values on days; NaN breaks the line. ``mark`` is a class of the style sheet."""

    mark: str
    label: str
    days: Sequence[date]
    values: Values


@dataclass(frozen=True)
class Area:
    """What lies between two lines."""

    mark: str
    label: str
    days: Sequence[date]
    lower: Values
    upper: Values


@dataclass(frozen=True)
class Spell:
    """A time in which something held, from its first day up to the day after its last."""

    mark: str
    first: date
    after: date


@dataclass(frozen=True)
class Point:
    """A single value with words beside it."""

    mark: str
    day: date
    value: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Everything that is drawn."""

    lines: Sequence[Line] = ()
    areas: Sequence[Area] = ()
    spells: Sequence[Spell] = ()
    points: Sequence[Point] = ()
    keys: Sequence[Key] = ()
    """Of the legend, beside those of lines and areas."""
    include: float | None = None
    """A value that the axis must show."""
    zero: bool = False
    """Whether a line stands at 0."""
    label: Callable[[float], str] | None = None
    """How the values of the axis are written."""
    rim: float = field(default=0.05)


def figure(name: str, title: str, caption: str, plot: Plot, cells: Cells) -> Figure:
    """Return the chart in both widths."""
    wide, narrow = (_drawn(size, name, title, caption, plot) for size in SIZES)
    lines = [Key(line.mark, line.label) for line in plot.lines]
    legend = (*lines, *(Key(part.mark, part.label) for part in plot.areas), *plot.keys)
    return Figure(name, title, caption, wide, narrow, legend, cells)


def _drawn(size: Size, name: str, title: str, caption: str, plot: Plot) -> Markup:
    days = [day for line in plot.lines for day in line.days] + [day for part in plot.areas for day in part.days]
    days += [day for spell in plot.spells for day in (spell.first, spell.after)] + [p.day for p in plot.points]
    first, last = min(days), max(days)
    if first == last:
        first, last = first - timedelta(days=1), last + timedelta(days=1)
    values = [v for line in plot.lines for v in line.values] + [p.value for p in plot.points]
    values += [v for part in plot.areas for side in (part.lower, part.upper) for v in side]
    low, high = extent(values, room=plot.rim, include=plot.include)
    frame = Frame.of(size, (first.toordinal(), last.toordinal()), (low, high))
    up = [Tick(t.at, plot.label(t.at) if plot.label else t.label) for t in number_ticks(low, high)]
    parts = [_spell(frame, spell) for spell in plot.spells]
    parts.append(frame.axes(day_ticks(first, last, size.ticks), up))
    parts += [_area(frame, part) for part in plot.areas]
    if plot.zero and low < 0 < high:
        parts.append(element("path", d=f"M{frame.x.start} {frame.y(0):.1f}H{frame.x.end}", class_="zero"))
    parts += [stroke for line in plot.lines for stroke in _strokes(frame, line)]
    parts += _points(frame, plot.points)
    return drawing(size, name, title, caption, *parts)


def _place(frame: Frame, day: date, value: float) -> tuple[float, float]:
    return frame.x(day.toordinal()), frame.y(value)


def _strokes(frame: Frame, line: Line) -> list[Markup]:
    runs: list[list[tuple[float, float]]] = [[]]
    for day, value in zip(line.days, line.values, strict=True):
        if math.isfinite(value):
            runs[-1].append(_place(frame, day, value))
        elif runs[-1]:
            runs.append([])
    return [element("path", d=path(run), class_=f"line {line.mark}") for run in runs if len(run) > 1]


def _area(frame: Frame, part: Area) -> Markup:
    rows = zip(part.days, part.lower, part.upper, strict=True)
    known = [(d, low, high) for d, low, high in rows if math.isfinite(low) and math.isfinite(high)]
    upper = [_place(frame, d, high) for d, _, high in known]
    lower = [_place(frame, d, low) for d, low, _ in known]
    return element("path", d=area(upper, lower), class_=part.mark) if known else Markup("")


def _spell(frame: Frame, spell: Spell) -> Markup:
    left, right = frame.x(spell.first.toordinal()), frame.x(spell.after.toordinal())
    top, floor = frame.y.end, frame.y.start
    return element("rect", x=left, y=top, width=max(right - left, 0.5), height=floor - top, class_=spell.mark)


def _points(frame: Frame, points: Sequence[Point]) -> list[Markup]:
    parts, free = [], -math.inf
    for point in points:
        x, y = _place(frame, point.day, point.value)
        parts.append(element("circle", cx=x, cy=y, r=3.5, class_=point.mark))
        if x >= free:  # a label over another one can be read by nobody
            anchor = "end" if x > frame.x.end - 40 else "middle"
            parts.append(element("text", point.label, x=x, y=y - 8, text_anchor=anchor, class_="point-label"))
            free = x + _LABEL
    return parts
