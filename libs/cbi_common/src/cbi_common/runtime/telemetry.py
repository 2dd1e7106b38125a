"""What the runtime tells: structured logs that carry the event and the run, and metrics for Prometheus."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from cbi_common.runtime.redaction import Redaction
from cbi_common.runtime.settings import Settings

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each counter that nobody asks
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_MINUTES_LONG = (0.01, 0.05, 0.25, 1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600)
_MIB = 1 << 20
OUTCOMES = ("done", "put off", "retried", "handed back", "duplicate", "dead")
"""How the handling of a message ends."""

HANDLED = Counter(
    "cbi_messages_handled", "Messages by how they ended", ("service", "subject", "outcome"), registry=REGISTRY
)
REDELIVERED = Counter(
    "cbi_messages_redelivered", "Deliveries after the first", ("service", "subject"), registry=REGISTRY
)
DEAD = Counter("cbi_dead_letters", "Messages given up", ("service", "subject"), registry=REGISTRY)
PUBLISHED = Counter(
    "cbi_events_published", "Events acknowledged by their stream", ("service", "subject"), registry=REGISTRY
)
HANDLING_SECONDS = Histogram(
    "cbi_handler_seconds", "Seconds in a handler", ("service", "handler"), buckets=_MINUTES_LONG, registry=REGISTRY
)
READY = Gauge(
    "cbi_service_ready", "Whether a service is connected to the bus and takes messages", ("service",), registry=REGISTRY
)
JOBS = Counter("cbi_jobs", "Child processes by how they ended", ("entry", "outcome"), registry=REGISTRY)
JOBS_RUNNING = Gauge("cbi_jobs_running", "Child processes at work", registry=REGISTRY)
JOBS_WAITING = Gauge("cbi_jobs_waiting", "Jobs that wait for a child process to end", registry=REGISTRY)
JOB_SECONDS = Histogram(
    "cbi_job_seconds", "Seconds that a child process took", ("entry",), buckets=_MINUTES_LONG, registry=REGISTRY
)
JOB_CPU_SECONDS = Histogram(
    "cbi_job_cpu_seconds", "CPU seconds of a child process", ("entry",), buckets=_MINUTES_LONG, registry=REGISTRY
)
JOB_PEAK_BYTES = Histogram(
    "cbi_job_peak_bytes",
    "Peak resident memory of a child process",
    ("entry",),
    buckets=tuple(size * _MIB for size in (100, 200, 400, 800, 1536, 3072, 6144)),
    registry=REGISTRY,
)
FOLDS = Counter(
    "cbi_folds", "Folds of trained models: fitted, or found in the cache", ("device", "outcome"), registry=REGISTRY
)
MAILS = Counter("cbi_mails", "Attempts to send a mail by how they ended", ("kind", "outcome"), registry=REGISTRY)


def expect_messages(service: str, subject: str, handler: str) -> None:
    """Show a subscription's metrics from the start: what has not happened yet is 0, not absent."""
    for outcome in OUTCOMES:
        HANDLED.labels(service, subject, outcome)
    REDELIVERED.labels(service, subject)
    DEAD.labels(service, subject)
    HANDLING_SECONDS.labels(service, handler)


def expect_job(entry: str) -> None:
    """Show a job's metrics before it ends."""
    for outcome in ("done", "failed", "killed"):
        JOBS.labels(entry, outcome)
    for histogram in (JOB_SECONDS, JOB_CPU_SECONDS, JOB_PEAK_BYTES):
        histogram.labels(entry)


_context: ContextVar[dict[str, str]] = ContextVar("log_context", default={})  # noqa: B039  # never mutated, only replaced
_NOISY = (
    "cbi_faststream",
    "nats",
    "uvicorn",
    "asyncio",
    "fsspec",
    "filelock",
    "httpx",
    "urllib3",
    "mlflow",
    "alembic",
    "apscheduler",
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def bind(**fields: str | None) -> None:
    """Add fields to every later log line of this task and of the tasks it starts; None adds nothing."""
    _context.set({**_context.get(), **{key: value for key, value in fields.items() if value is not None}})


class _Formatter(logging.Formatter):
    """Renders a record with its context, with secrets taken out of the finished line."""

    def __init__(self, *, as_json: bool, redact: Redaction) -> None:
        super().__init__()
        self._as_json = as_json
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            extra["traceback"] = self.formatException(record.exc_info)
        return self._redact(self._render(record, {**_context.get(), **extra}))

    def _render(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        now = datetime.fromtimestamp(record.created, UTC)
        message = record.getMessage()
        if self._as_json:
            base = {"time": now.isoformat(timespec="milliseconds"), "level": record.levelname, "logger": record.name}
            return json.dumps({**base, "message": message, **fields}, default=str)
        trace = fields.pop("traceback", None)
        tail = "".join(f" {key}={value}" for key, value in fields.items())
        return f"{now:%H:%M:%S} {record.levelname.lower():7} {message}{tail}" + (f"\n{trace}" if trace else "")


def configure(settings: Settings) -> None:
    """Send the logs of this process to stderr in the settings' format and level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=settings.log_format == "json", redact=Redaction(settings.secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
