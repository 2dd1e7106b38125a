"""Runs: what is under way, what became of every pass, and which event led to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup

from cbi_common.events.base import Envelope
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.reporting.lineage import Node, causation, lake_objects
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import models, stages
from cbi_common.reporting.tables import number, percent
from dashboard.domain import view
from dashboard.domain.answers import GivenUp, RunAnswer
from dashboard.domain.charts import bars
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import Chrome, Traced, anchor, chrome
from dashboard.domain.pages.grid import Grid, Row, grid

_SHOWN = 25
_QUIET = timedelta(hours=6)
"""A pass without an event for so long is not under way, whatever its stage."""


class Progress(NamedTuple):
    """A pass in a line."""

    run: RunAnswer
    path: str
    share: float
    bar: Markup
    live: bool


@dataclass(frozen=True)
class RunsPage:
    """Everything the template of the list shows."""

    chrome: Chrome
    empty: str
    live: tuple[Progress, ...]
    runs: tuple[Progress, ...]
    letters: tuple[GivenUp, ...]
    actions: bool
    csrf: str
    seen: int
    """Version of what is known: asking twice from one page asks once."""
    market: str


class Entry(NamedTuple):
    """One event of a pass, indented below its cause."""

    anchor: str
    depth: int
    type: str
    time: str
    source: str
    what: str
    objects: tuple[str, ...]


@dataclass(frozen=True)
class RunPage:
    """Everything the template of one pass shows."""

    chrome: Chrome
    run: RunAnswer
    progress: Progress
    stages: Grid
    models: Grid
    lineage: tuple[Entry, ...]


def compose(known: Known, now: datetime, *, actions: bool, csrf: str, market: str) -> RunsPage:
    """Return the list, newest first.

    Parameters
    ----------
    known : Known
    now : datetime
    actions : bool
        Whether messages can be replayed and runs asked for here.
    csrf : str
        Token of the forms.
    market : str
        What a run is asked for at first.
    """
    shown = tuple(_progress(run, now) for run in reversed(known.runs.all()[-_SHOWN:]))
    empty = "" if shown else "Nothing has run yet; `cbi run` or `cbi publish data.requested` begins."
    live = tuple(entry for entry in shown if entry.live)
    frame = chrome("runs", "Runs", known, None)
    letters = tuple(reversed(known.given_up))
    return RunsPage(frame, empty, live, shown, letters, actions, csrf, known.version, market)


def detail(known: Known, run: Run, now: datetime) -> RunPage:
    """Return the page of one pass."""
    frame = chrome("runs", f"Run {(run.run_id or run.correlation_id)[:12]}", known, None)
    return RunPage(
        chrome=frame,
        run=view.summary(run),
        progress=_progress(run, now),
        stages=_stages(run),
        models=_models(run),
        lineage=tuple(_entries(causation(run.events), 0)),
    )


def _progress(run: Run, now: datetime) -> Progress:
    told = view.summary(run)
    ended = told.trained + told.failed
    share = 1.0 if run.stage in ("done", "rejected") else ended / told.planned if told.planned else 0.0
    live = run.open and now - run.ended < _QUIET
    return Progress(told, f"/runs/{run.correlation_id}", share, bars.share(share, "progress"), live)


def _stages(run: Run) -> Grid:
    rows: list[Row] = [(name, number(seconds, 1)) for name, seconds in stages(run).items()]
    return grid("Where the time went; stages run partly side by side", ("<Stage", "seconds"), rows)


def _models(run: Run) -> Grid:
    events = {
        (e.data.model_id, e.data.horizon): e for e in run.events if isinstance(e.data, ModelTrained | ModelFailed)
    }

    def source(key: tuple[str, Any]) -> str:
        return f"#{anchor(events[key])}" if key in events else "#lineage"

    rows: list[Row] = [
        (
            f"{m.model_id} {m.horizon}", m.status, m.dataset or "–",
            Traced(percent(m.metrics.skill if m.metrics else None, signed=True), source((m.model_id, m.horizon))),
            number(m.fit_seconds, 1), number(m.peak_mb, 0), m.error or "",
        )
        for m in models(run)
    ]  # fmt: skip
    return grid("Models", ("<Model", "<state", "?<dataset", "skill", "?CPU s", "?MB", "<error"), rows)


def _entries(nodes: Sequence[Node], depth: int) -> Iterator[Entry]:
    for node in nodes:
        event = node.event
        objects = tuple(dict.fromkeys(ref.key for ref in lake_objects(event.data)))
        yield Entry(
            anchor(event), depth, event.type, f"{event.time:%Y-%m-%d %H:%M:%S}", event.source, _what(event), objects
        )
        yield from _entries(node.children, depth + 1)


def _what(event: Envelope[Any]) -> str:
    data = event.data
    for names in (("model_id", "horizon"), ("what",), ("state",), ("reason",), ("source",), ("device",)):
        found = [str(getattr(data, name)) for name in names if getattr(data, name, None)]
        if found:
            return " ".join(found)
    return ""
