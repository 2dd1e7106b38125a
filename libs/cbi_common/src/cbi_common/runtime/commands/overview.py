"""What the system is doing: runs, queues, dead letters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cbi_common.core.clock import system_clock
from cbi_common.events.training import ModelFailed
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.report import missing_horizons
from cbi_common.reporting.tables import UNKNOWN, Table, columns
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.schedules import Due, upcoming
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.streams import EVENTS, JOBS


@dataclass(frozen=True)
class Queue:
    """What one consumer has before it."""

    stream: str
    consumer: str
    waiting: int
    in_work: int
    redelivered: int


@dataclass(frozen=True)
class Overview:
    """Runs, oldest first; queues; number of dead letters; what comes round by the clock."""

    runs: tuple[Run, ...]
    queues: tuple[Queue, ...]
    dead_letters: int
    schedules: tuple[Due, ...] = ()

    def as_json(self, limit: int) -> dict[str, Any]:
        """Return the latest ``limit`` runs and the rest as JSON."""
        return {
            "runs": [line(run) for run in self._latest(limit)],
            "queues": [asdict(queue) for queue in self.queues],
            "dead_letters": self.dead_letters,
            "schedules": [_due(due) for due in self.schedules],
        }

    def tables(self, limit: int) -> list[Table]:
        """Return the tables for a person."""
        runs = Table(
            title="Runs",
            columns=columns("<request", "<run", "<started", "<as of", "<profile", "<stage", "models", "failed", "<"),
            rows=tuple(_row(line(run)) for run in self._latest(limit)),
            note="" if self.runs else "nothing has run yet; `cbi run` makes a forecast",
        )
        busy = [queue for queue in self.queues if queue.waiting or queue.in_work]
        queues = Table(
            title="Queues",
            columns=columns("<stream", "<consumer", "waiting", "in work", "redelivered"),
            rows=tuple((q.stream, q.consumer, str(q.waiting), str(q.in_work), str(q.redelivered)) for q in busy),
            note=f"{len(self.queues) - len(busy)} of {len(self.queues)} consumers have nothing to do; "
            f"{self.dead_letters} dead letters{', see `cbi dead list`' if self.dead_letters else ''}",
        )
        schedules = Table(
            title="Schedules, in Chicago's time",
            columns=columns("<name", "<market", "<when", "<done to", "<next"),
            rows=tuple((d.name, d.market, d.when, _minute(d.last), _minute(d.next)) for d in self.schedules),
        )
        return [runs, queues, *([schedules] if self.schedules else [])]

    def _latest(self, limit: int) -> list[Run]:
        return list(reversed(self.runs[-limit:]))


async def look(bus: Bus, _settings: Settings) -> Overview:
    """Return the state of the system behind ``bus``."""
    journal = Journal(bus)
    queues = []
    for stream in (EVENTS, JOBS):
        with unavailable(f"stream {stream}"):
            consumers = await bus.jetstream.consumers_info(stream)
        queues += [
            Queue(stream, c.name, c.num_pending or 0, c.num_ack_pending or 0, c.num_redelivered or 0)
            for c in consumers
            if "--" in c.name
        ]
    runs = Runs(await journal.events()).all()
    return Overview(
        runs=tuple(runs),
        queues=tuple(sorted(queues, key=lambda queue: (queue.stream, queue.consumer))),
        dead_letters=len(await journal.dead_letters()),
        schedules=tuple(await upcoming(State(bus), system_clock())),
    )


def line(run: Run) -> dict[str, Any]:
    """Return a run on one line; null for what is not known yet."""
    asked = (run.export.data if run.export else None) or run.rejected or run.request
    return {
        "request_id": run.correlation_id,
        "run_id": run.run_id,
        "started": run.started.isoformat(timespec="seconds"),
        "as_of": asked.as_of.isoformat() if asked and asked.as_of else None,
        "profile": asked.profile if asked else None,
        "simulated": run.simulated,
        "stage": run.stage,
        "planned": len(run.planned),
        "ended": len(run.results),
        "failed": sum(isinstance(result, ModelFailed) for result in run.results.values()),
        "trouble": _trouble(run),
    }


def _due(due: Due) -> dict[str, Any]:
    return {
        "name": due.name, "market": due.market, "when": due.when, "last": due.last.isoformat(),
        "next": due.next.isoformat() if due.next else None,
    }  # fmt: skip


def _minute(at: datetime | None) -> str:
    return UNKNOWN if at is None else f"{at:%Y-%m-%d %H:%M}"


def _trouble(run: Run) -> str | None:
    if run.rejected is not None:
        return f"{run.rejected.table}: {run.rejected.check}: {run.rejected.message}"
    if run.critical is not None:
        return f"{run.critical.source}: {run.critical.what}"
    return "; ".join(f"no {horizon}: {reason}" for horizon, reason in missing_horizons(run).items()) or None


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    mark = "simulated" if run["simulated"] else ""
    return (
        run["request_id"][:8], run["run_id"] or UNKNOWN, run["started"][:16].replace("T", " "), run["as_of"] or UNKNOWN,
        run["profile"] or UNKNOWN, run["stage"], f"{run['ended']} of {run['planned']}", str(run["failed"]),
        "; ".join(filter(None, (mark, run["trouble"]))),
    )  # fmt: skip
