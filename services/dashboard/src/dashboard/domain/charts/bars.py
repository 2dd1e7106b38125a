"""Shares of a whole, and small bands on one scale: charts of one line of text."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from dashboard.domain.charts.ink import element

_WIDTH, _HEIGHT = 120.0, 12.0


def share(value: float, mark: str = "weight") -> Markup:
    """Return a bar as long as a share of one; a picture of the number beside it, so it is not read aloud."""
    filled = element("rect", x=0, y=1, width=_WIDTH * min(max(value, 0.0), 1.0), height=_HEIGHT - 2, class_=mark)
    return _small(element("rect", x=0, y=1, width=_WIDTH, height=_HEIGHT - 2, class_="track"), filled)


def band(left: float, width: float, point: float, current: float) -> Markup:
    """Return a band with its point and the price of today; all four as shares of the common scale."""
    at = [_WIDTH * value for value in (left, width, point, current)]
    return _small(
        element("rect", x=0, y=3, width=_WIDTH, height=_HEIGHT - 6, class_="track"),
        element("rect", x=at[0], y=2, width=at[1], height=_HEIGHT - 4, class_="band90"),
        element("path", d=f"M{at[3]:.1f} 0V{_HEIGHT:g}", class_="line now"),
        element("rect", x=at[2] - 1.5, y=0, width=3, height=_HEIGHT, class_="forecast-fill"),
    )


def _small(*parts: Markup) -> Markup:
    shown: Iterable[Markup] = parts
    return element("svg", *shown, viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}", class_="small-bar", aria_hidden="true")
