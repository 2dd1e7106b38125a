"""The streams of the bus, declared in one place."""

from __future__ import annotations

from nats.js.api import (
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamSource,
)
from nats.js.client import JetStreamContext
from nats.js.errors import BucketNotFoundError, NotFoundError

from cbi_common.events.base import EventData
from cbi_common.events.decision import CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.events.promotion import ModelPromoted, ModelShadowed, PromotionRejected

EVENTS, JOBS, LEDGER, DEAD = "EVENTS", "JOBS", "LEDGER", "DEAD"
STATE_BUCKET = "CBI_STATE"
DEAD_PREFIX = "dead."
ADVISORY_PREFIX = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."

_JOB_PREFIX = "jobs."
KEPT_FOR_EVER = (ModelPromoted, ModelShadowed, PromotionRejected, CoverRecorded, CoverWithdrawn, NeedStated)
"""What the ledger keeps: what somebody decided."""
_KEPT_S = 90 * 24 * 3600.0
_DUPLICATE_WINDOW_S = 600.0


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


async def declare(jetstream: JetStreamContext) -> None:
    """Create what is missing and bring the rest up to date; subjects are only ever added.

    Two versions of the product may declare at the same time while one replaces the other, so an older one must not
    take a newer one's subjects away.
    """
    for config in _streams():
        try:
            present = (await jetstream.stream_info(config.name or "")).config
        except NotFoundError:
            await jetstream.add_stream(config)
            continue
        if config.subjects is not None:
            config.subjects = sorted({*config.subjects, *(present.subjects or ())})
        if config.sources is not None:
            filters = {source.filter_subject for source in config.sources}
            config.sources += [s for s in present.sources or () if s.filter_subject not in filters]
        await jetstream.update_stream(config)
    try:
        await jetstream.key_value(STATE_BUCKET)
    except BucketNotFoundError:
        await jetstream.create_key_value(KeyValueConfig(bucket=STATE_BUCKET, storage=StorageType.FILE))


def _streams() -> list[StreamConfig]:
    subjects = [cls.subject for cls in EventData.classes()]
    return [
        _stream(EVENTS, [s for s in subjects if not s.startswith(_JOB_PREFIX)], max_age=_KEPT_S),
        _stream(JOBS, [s for s in subjects if s.startswith(_JOB_PREFIX)], retention=RetentionPolicy.WORK_QUEUE),
        _stream(LEDGER, None, sources=[StreamSource(name=EVENTS, filter_subject=cls.subject) for cls in KEPT_FOR_EVER]),
        _stream(DEAD, [f"{DEAD_PREFIX}>", f"{ADVISORY_PREFIX}>"], max_age=_KEPT_S),
    ]


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
    )
