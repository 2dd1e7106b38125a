"""The page of measured figures: tables between two marks, and pictures, written by whoever measured them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

PAGE = Path("docs/benchmarks.md")
PICTURES = Path("docs/img")
NOTHING = "–"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown.

    >>> print(table(("model", "skill"), [("ets", "+1 %")]))
    | model | skill |
    |---|---|
    | ets | +1 % |
    """
    body = [" | ".join(map(str, row)) for row in rows]
    return "\n".join([f"| {' | '.join(header)} |", "|" + "---|" * len(header), *(f"| {row} |" for row in body)])


def percent(fraction: float | None, *, sign: bool = False, digits: int = 1) -> str:
    """Return a fraction in percent, or a dash.

    >>> percent(0.0123, sign=True), percent(None)
    ('+1.2 %', '–')
    """
    return NOTHING if fraction is None else f"{100 * fraction:{'+' if sign else ''}.{digits}f} %"


def number(value: float | None, digits: int) -> str:
    """Return a number, or a dash."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put ``text`` between ``<!-- bench:NAME -->`` and the next ``<!-- end -->``, with what it was measured on.

    Raises
    ------
    LookupError
        When the page has no such place, or two.
    """
    before = page.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- bench:{re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    after, found = place.subn(lambda marks: f"{marks[1]}{text}\n\n{_circumstances()}\n{marks[2]}", before)
    if found != 1:
        raise LookupError(f"{page} has {found} places for bench:{name}")
    page.write_text(after, encoding="utf-8")


def draw(
    name: str, title: str, curves: Mapping[str, Sequence[tuple[float, float]]], *, x: str, y: str, ideal: bool = False
) -> None:
    """Draw curves into ``docs/img/bench-NAME.svg``; the dashed line is what exact proportion would give."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.add_subplot()
        for label, points in curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
        if ideal:
            ends = [point[0] for points in curves.values() for point in points]
            axes.plot([min(ends), max(ends)], [min(ends), max(ends)], "--", color="0.6", label="in proportion")
        axes.set(title=title, xlabel=x, ylabel=y)
        axes.legend(frameon=False)
        figure.savefig(PICTURES / f"bench-{name}.svg", metadata={"Date": None})


def _circumstances() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = (
        *(f"{cores} cores of {_processor()}", f"{psutil.virtual_memory().total / 2**30:.0f} GiB", platform.system()),
        f"Python {platform.python_version()}",
    )
    versions = (f"{name} {version(name)}" for name in ("numpy", "lightgbm", "statsforecast", "nats-py"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"*{now}; {', '.join((*machine, *versions))}; load average in the last 1, 5 and 15 minutes {load}.*"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.machine()
