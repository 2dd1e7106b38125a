"""The streams of the bus, declared in one place."""

from __future__ import annotations

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamSource
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from cbi_common.core.errors import TransientError
from cbi_common.events.base import EventData
from cbi_common.events.decision import CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.events.promotion import ModelPromoted, ModelShadowed, PromotionRejected

EVENTS, JOBS, LEDGER, DEAD = "EVENTS", "JOBS", "LEDGER", "DEAD"
STATE_BUCKET = "CBI_STATE"
STATE = f"KV_{STATE_BUCKET}"
"""Stream that holds the state."""
DECLARER = "ingest"
"""Who creates and changes streams where every service has a user of its own; the others wait for them."""
DEAD_PREFIX = "dead."
ADVISORY_PREFIX = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."

_JOB_PREFIX = "jobs."
PROMOTIONS = (ModelPromoted, ModelShadowed, PromotionRejected)
"""What the promoter and a person alone may say."""
KEPT_FOR_EVER = (*PROMOTIONS, CoverRecorded, CoverWithdrawn, NeedStated)
"""What the ledger keeps: what somebody decided."""
_KEPT_S = 90 * 24 * 3600.0
_DUPLICATE_WINDOW_S = 600.0
_STATE_DUPLICATE_WINDOW_S = 120.0
_COMPARED = ("max_age", "duplicate_window", "allow_direct", "allow_rollup_hdrs", "deny_delete", "deny_purge")


def stream_of(subject: str) -> str:
    """Return the stream that keeps ``subject``.

    Raises
    ------
    ContractError
        When no event has that subject.
    """
    if subject.startswith((DEAD_PREFIX, ADVISORY_PREFIX)):
        return DEAD
    EventData.for_subject(subject)
    return JOBS if subject.startswith(_JOB_PREFIX) else EVENTS


async def declare(jetstream: JetStreamContext, replicas: int = 1) -> None:
    """Create what is missing and bring the rest up to date; subjects and replicas are only ever added.

    Two versions of the product may declare at the same time while one replaces the other, so an older one must not
    take a newer one's subjects away, nor a command on somebody's laptop the copies in a cluster. Where nothing is
    lacking, nothing is asked for: a user who may not change streams can call this.

    Parameters
    ----------
    jetstream : JetStreamContext
    replicas : int
        Servers that keep each message.
    """
    for wanted in _streams(replicas):
        present = await _present(jetstream, wanted)
        if present is None:
            await jetstream.add_stream(wanted)
        elif _lacks(present, wanted):
            await jetstream.update_stream(_merged(present, wanted))


async def require(jetstream: JetStreamContext) -> None:
    """Make sure that another process has declared the streams.

    Raises
    ------
    TransientError
        When one of them is not there yet, or not as this version needs it.
    """
    for wanted in _streams(1):
        present = await _present(jetstream, wanted)
        if present is None or _lacks(present, wanted):
            hint = f"{DECLARER} declares it when it starts"
            raise TransientError("not declared yet", where=f"stream {wanted.name}", hint=hint)


async def _present(jetstream: JetStreamContext, wanted: StreamConfig) -> StreamConfig | None:
    try:
        return (await jetstream.stream_info(wanted.name or "")).config
    except NotFoundError:
        return None


def _lacks(present: StreamConfig, wanted: StreamConfig) -> bool:
    fewer = not set(wanted.subjects or ()) <= set(present.subjects or ()) or not _filters(wanted) <= _filters(present)
    others = any(getattr(present, name) != getattr(wanted, name) for name in _COMPARED)
    return fewer or others or (present.num_replicas or 1) < (wanted.num_replicas or 1)


def _merged(present: StreamConfig, wanted: StreamConfig) -> StreamConfig:
    known = _filters(wanted)
    more = [source for source in present.sources or () if source.filter_subject not in known]
    return wanted.evolve(
        subjects=wanted.subjects and sorted({*wanted.subjects, *(present.subjects or ())}),
        sources=wanted.sources and [*wanted.sources, *more],
        num_replicas=max(present.num_replicas or 1, wanted.num_replicas or 1),
    )


def _filters(config: StreamConfig) -> set[str | None]:
    return {source.filter_subject for source in config.sources or ()}


def _streams(replicas: int) -> list[StreamConfig]:
    subjects = [cls.subject for cls in EventData.classes()]
    sources = [StreamSource(name=EVENTS, filter_subject=cls.subject) for cls in KEPT_FOR_EVER]
    streams = [
        _stream(EVENTS, [s for s in subjects if not s.startswith(_JOB_PREFIX)], max_age=_KEPT_S),
        _stream(JOBS, [s for s in subjects if s.startswith(_JOB_PREFIX)], retention=RetentionPolicy.WORK_QUEUE),
        # Nothing in it is ever deleted, not even by an operator's mistake.
        _stream(LEDGER, None, sources=sources).evolve(deny_delete=True, deny_purge=True),
        _stream(DEAD, [f"{DEAD_PREFIX}>", f"{ADVISORY_PREFIX}>"], max_age=_KEPT_S),
        _state(),
    ]
    return [stream.evolve(num_replicas=replicas) for stream in streams]


def _state() -> StreamConfig:
    """Return the stream of the key-value store.

    As the client would make it, less two things. A message that is published with ``Nats-Rollup: all`` would wipe out
    every key, also those that its publisher may not write. And a direct answer may come from a server of a cluster that
    does not have the last write yet: whoever collects the parts of a run would wait for one that is there.
    """
    return StreamConfig(
        name=STATE,
        subjects=[f"$KV.{STATE_BUCKET}.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        max_age=0,
        duplicate_window=_STATE_DUPLICATE_WINDOW_S,
        allow_direct=False,
        allow_rollup_hdrs=False,
        allow_msg_ttl=True,
        deny_delete=True,
        deny_purge=False,
    )


def _stream(
    name: str,
    subjects: list[str] | None,
    *,
    retention: RetentionPolicy = RetentionPolicy.LIMITS,
    max_age: float = 0,
    sources: list[StreamSource] | None = None,
) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=subjects,
        retention=retention,
        storage=StorageType.FILE,
        max_age=max_age,
        duplicate_window=_DUPLICATE_WINDOW_S,
        sources=sources,
        allow_direct=True,
        allow_rollup_hdrs=False,
        deny_delete=False,
        deny_purge=False,
    )
