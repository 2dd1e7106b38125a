"""From a baseline to a total, share by share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.domain.charts.frame import SIZES, Cells, Figure, Key, Size, drawing
from dashboard.domain.charts.ink import element
from dashboard.domain.charts.scale import Scale, extent, number_ticks

_ROW = 26.0
_BAR = 15.0
_HEAD = 8.0
_FOOT = 24.0


@dataclass(frozen=True)
class Share:
    """One step of the way."""

    label: str
    value: float


def waterfall(
    name: str, title: str, caption: str, start: Share, shares: Sequence[Share], end: Share, say: Callable[[float], str]
) -> Figure:
    """Return the chart in both widths.

    Parameters
    ----------
    start, end : Share
        Where the way begins and ends; ``end.value`` is ``start.value`` plus the shares.
    shares : sequence of Share
        In the order in which they are drawn.
    say : callable
        How a share is written, with its sign.
    """
    wide, narrow = (_drawn(size, name, title, caption, start, shares, end, say) for size in SIZES)
    rows = ((start.label, f"{start.value:,.2f}"), *((s.label, say(s.value)) for s in shares))
    cells = Cells(("Part", "Share"), (*rows, (end.label, f"{end.value:,.2f}")))
    return Figure(name, title, caption, wide, narrow, (Key("up", "pushes up"), Key("down", "pushes down")), cells)


def _drawn(
    size: Size, name: str, title: str, caption: str, start: Share, shares: Sequence[Share], end: Share,
    say: Callable[[float], str],
) -> Markup:  # fmt: skip
    levels = [start.value]
    for share in shares:
        levels.append(levels[-1] + share.value)
    tall = size._replace(height=_HEAD + _ROW * (len(shares) + 2) + _FOOT, left=104.0 if size.width < 600 else 150.0)
    across = Scale(*extent([*levels, end.value], room=0.12), tall.left, tall.width - 56)
    parts = [_grid(tall, across)]
    for row, (share, before) in enumerate(zip(shares, levels, strict=False), 1):
        mark = "up" if share.value >= 0 else "down"
        parts.append(_bar(across, row, share.label, before, before + share.value, mark, say(share.value)))
    parts.append(_level(across, 0, start))
    parts.append(_level(across, len(shares) + 1, end))
    return drawing(tall, name, title, caption, *parts)


def _grid(size: Size, across: Scale) -> Markup:
    floor = size.height - _FOOT
    ticks = number_ticks(across.low, across.high, max(3, size.ticks - 2))
    return Markup("").join(
        element("path", d=f"M{across(t.at):.1f} {_HEAD}V{floor:.1f}", class_="grid")
        + element("text", t.label, x=across(t.at), y=floor + 17, text_anchor="middle", class_="tick")
        for t in ticks
        if size.left + 4 <= across(t.at)
    )


def _bar(across: Scale, row: int, label: str, begin: float, end: float, mark: str, said: str) -> Markup:
    left, right = sorted((across(begin), across(end)))
    top = _HEAD + _ROW * row + (_ROW - _BAR) / 2
    return Markup("").join((
        element("text", label, x=across.start - 8, y=top + 12, text_anchor="end", class_="row-label"),
        element("path", d=f"M{across(begin):.1f} {top - 11:.1f}v{_ROW - 4:.1f}", class_="grid"),
        element("rect", x=left, y=top, width=max(right - left, 1.0), height=_BAR, class_=mark),
        element("text", said, x=right + 6, y=top + 12, class_="bar-label"),
    ))  # fmt: skip


def _level(across: Scale, row: int, share: Share) -> Markup:
    x, top = across(share.value), _HEAD + _ROW * row
    return Markup("").join((
        element("text", share.label, x=across.start - 8, y=top + 18, text_anchor="end", class_="row-label strong"),
        element("path", d=f"M{x:.1f} {top + 2:.1f}v{_ROW - 4:.1f}", class_="level"),
        element("text", f"{share.value:,.2f}", x=x + 6, y=top + 18, class_="bar-label strong"),
    ))  # fmt: skip
