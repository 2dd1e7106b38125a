"""What a dashboard is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "number", "bars", "table"]
Unit = Literal["short", "s", "bytes", "percentunit", "ops"]


@dataclass(frozen=True)
class Query:
    """An expression, and what a legend calls its series."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes
    ----------
    title : str
    why : str
        What it shows and what to look for.
    queries : tuple of Query
    kind : Kind
    unit : Unit
    width : int
        Of 24.
    warn, bad : float or None
        From where on it is yellow, red; where less is worse, ``bad`` is the smaller one.
    runbook : str
        Heading of docs/operations.md to read when it looks wrong.
    """

    title: str
    why: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    unit: Unit = "short"
    width: int = 8
    warn: float | None = None
    bad: float | None = None
    runbook: str = ""


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard; its file is called like its uid."""

    uid: str
    title: str
    why: str
    rows: tuple[Row, ...]
    by_market: bool = True


def one(title: str, why: str, expr: str, legend: str, **rest: object) -> Panel:
    """Return a panel with one query."""
    return Panel(title, why, (Query(expr, legend),), **rest)  # type: ignore[arg-type]
