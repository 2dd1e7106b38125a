"""Elements of SVG as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """Return an element; ``_`` in a name stands for ``-``, a trailing one is dropped, None leaves an attribute out.

    >>> str(element("text", "a < b", text_anchor="end", class_="tick", x=1.50))
    '<text text-anchor="end" class="tick" x="1.5">a &lt; b</text>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(children)
    text = f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>"
    return Markup(text)  # noqa: S704  # every part was escaped above


def path(points: Iterable[Point], *, close: bool = False) -> str:
    """Return the commands that join points by straight lines.

    >>> path([(0, 1.25), (2, 3)], close=True)
    'M0 1.2L2 3Z'
    """
    text = "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
    return f"M{text}{'Z' if close else ''}" if text else ""


def area(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """Return the commands that enclose what lies between two lines."""
    return path([*upper, *reversed(lower)], close=True)


def _value(value: object) -> str:
    return _short(value) if isinstance(value, float) else str(value)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
