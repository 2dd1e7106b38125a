"""Queues, streams, dead letters, mails, and room on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from monitor.domain.gauges.family import Family, Shown
from monitor.domain.mail.outbox import Outbox

_QUEUE = ("stream", "consumer")
WAITING = Family("cbi_queue_waiting_messages", "Messages that a consumer was not given yet", _QUEUE)
IN_WORK = Family("cbi_queue_in_work_messages", "Messages given out and not acknowledged, or put off", _QUEUE)
AGAIN = Family("cbi_queue_redelivered_messages", "Messages in work that were given out more than once", _QUEUE)
DELIVERIES = Family("cbi_queue_deliveries_total", "Messages given out, again or for the first time", _QUEUE, "counter")
OLDEST = Family(
    "cbi_queue_oldest_message_seconds", "Age of the oldest message not acknowledged; 0: there is none", _QUEUE
)
KEPT = Family("cbi_dead_letters_kept", "Messages that were given up and not sent again, by who gave up", ("consumer",))
MESSAGES = Family("cbi_stream_messages", "Messages that a stream holds", ("stream",))
BYTES = Family("cbi_stream_bytes", "Size of a stream", ("stream",))
DISK_FREE = Family("cbi_disk_free_bytes", "Room left where the lake lies; absent for a lake in a bucket")
DISK_SIZE = Family("cbi_disk_size_bytes", "Size of the disk where the lake lies")
MAILS_WAITING = Family("cbi_mails_waiting", "Mails that are not sent yet")
MAIL_FAILURES = Family("cbi_mail_failures", "Attempts to send mail that failed since the last success")
FAMILIES = (
    WAITING, IN_WORK, AGAIN, DELIVERIES, OLDEST, KEPT, MESSAGES, BYTES, DISK_FREE, DISK_SIZE, MAILS_WAITING,
    MAIL_FAILURES,
)  # fmt: skip


class Queue(NamedTuple):
    """What a consumer has before it; ``oldest``: when its oldest message that is not acknowledged was published."""

    stream: str
    consumer: str
    waiting: int
    in_work: int
    again: int
    deliveries: int
    oldest: datetime | None


class Size(NamedTuple):
    """What a stream holds."""

    stream: str
    messages: int
    size_bytes: int


class Disk(NamedTuple):
    """Room where the lake lies."""

    free_bytes: int
    size_bytes: int


def of_queues(queues: Sequence[Queue], letters: Iterable[str], now: datetime) -> Shown:
    """Yield the queues, and the dead letters by consumer; who gave up nothing has 0.

    Parameters
    ----------
    queues : sequence of Queue
    letters : consumer of each dead letter
    now : datetime
    """
    for queue in queues:
        where = queue.stream, queue.consumer
        yield WAITING.of(*where, value=queue.waiting)
        yield IN_WORK.of(*where, value=queue.in_work)
        yield AGAIN.of(*where, value=queue.again)
        yield DELIVERIES.of(*where, value=queue.deliveries)
        age = 0.0 if queue.oldest is None else max((now - queue.oldest).total_seconds(), 0.0)
        yield OLDEST.of(*where, value=age)
    counts = Counter(letters)
    for consumer in sorted({*counts, *(queue.consumer for queue in queues)}):
        yield KEPT.of(consumer, value=counts[consumer])


def of_room(sizes: Iterable[Size], disk: Disk | None) -> Shown:
    """Yield what takes room and what is left."""
    for size in sizes:
        yield MESSAGES.of(size.stream, value=size.messages)
        yield BYTES.of(size.stream, value=size.size_bytes)
    if disk is not None:
        yield DISK_FREE.of(value=disk.free_bytes)
        yield DISK_SIZE.of(value=disk.size_bytes)


def of_mails(outbox: Outbox) -> Shown:
    """Yield what has not reached people."""
    yield MAILS_WAITING.of(value=len(outbox.mails))
    yield MAIL_FAILURES.of(value=outbox.failed)
