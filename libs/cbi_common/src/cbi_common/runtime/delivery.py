"""From a message on the bus to a handler and back: acknowledgements, retries, heartbeats, dead letters.

A message is acknowledged after everything its handler returned has been acknowledged by its stream. Until then it can
be delivered again, to this process or another, so handlers are idempotent and outgoing ids follow from their cause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from faststream import AckPolicy, BaseMiddleware, ContextRepo
from faststream.nats import JStream, NatsMessage, PullSub
from nats import errors as nats_errors
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from cbi_common.core.clock import Clock
from cbi_common.core.errors import CbiError, ContractError, NotYet
from cbi_common.events.base import Envelope, parse
from cbi_common.events.monitoring import AlertRaised
from cbi_common.runtime import telemetry
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.cancellation import end
from cbi_common.runtime.deadletters import DeadLetter, bury, correlation_of
from cbi_common.runtime.pull import Pull
from cbi_common.runtime.retry import GiveUp, History, Retry, RetryPolicy, describe
from cbi_common.runtime.streams import stream_of
from cbi_common.runtime.subscription import Outgoing, Subscription

_log = logging.getLogger(__name__)

_PULL_S = 2.0
_BEATS_PER_ACK_WAIT = 3
_MAX_DELIVER = 60  # for a message that kills the whole process each time, before its failure can be counted
_MAX_PENDING = 1000
_ACK_TIMEOUT_S = 2.0
_ACK_ATTEMPTS = 15
_RELAYED = "Nats-Stream"
"""Header of a message that the bus has read out of a stream for somebody."""

_Next = Callable[[Any], Awaitable[Any]]


class _Middleware(BaseMiddleware[Any, Any]):
    """Puts `Delivery` between FastStream and the handlers."""

    def __init__(self, message: Any, /, *, context: ContextRepo, delivery: Delivery) -> None:
        super().__init__(message, context=context)
        self._delivery = delivery

    async def consume_scope(self, call_next: _Next, msg: Any) -> None:
        """Deliver one message; whatever happens to it has been dealt with on return."""
        await self._delivery.deliver(call_next, msg)


@dataclass
class _Hand:
    """A message in hand, and its event once it could be read."""

    raw: Msg
    subscription: Subscription
    event: Envelope[Any] | None = None
    work: asyncio.Task[None] | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has been acknowledged, given back or given up."""

    @property
    def key(self) -> tuple[str, int]:
        place = self.raw.metadata
        return place.consumer, place.sequence.stream

    @property
    def handler(self) -> str:
        return self.subscription.durable.partition("--")[2]


class Delivery:
    """Carries messages to the handlers of one service.

    Parameters
    ----------
    service : str
        Its name.
    bus : Bus
        Its connection.
    clock : Clock
        Time of the events it publishes.
    ack_wait_s : float
        How long the bus waits for a sign of life; one is given three times as often.
    """

    def __init__(self, service: str, bus: Bus, clock: Clock, ack_wait_s: float) -> None:
        self.policy = RetryPolicy()
        self._service = service
        self._bus = bus
        self._clock = clock
        self._ack_wait_s = ack_wait_s
        self._subscriptions: dict[str, Subscription] = {}
        self._in_hand: dict[tuple[str, int], _Hand] = {}
        self._failed: dict[tuple[str, int], History] = {}
        self._stopping = False
        bus.broker.add_middleware(partial(_Middleware, delivery=self))

    def attach(self, subscription: Subscription) -> None:
        """Subscribe on the broker; messages come once it is started.

        FastStream's own concurrency fetches messages that then wait unseen until the bus believes them lost. So a
        parallel subscription is several that pull one message each from the same consumer.
        """
        self._subscriptions[subscription.durable] = subscription
        handler = subscription.durable.partition("--")[2]
        telemetry.expect_messages(self._service, subscription.event.subject, handler)
        for number in range(subscription.parallel):
            subscriber = self._bus.broker.subscriber(
                subscription.event.subject,
                stream=JStream(stream_of(subscription.event.subject), declare=False),
                durable=subscription.durable,
                pull_sub=PullSub(batch_size=1, timeout=_PULL_S),
                inbox_prefix=f"{self._bus.inbox}.".encode(),
                ack_policy=AckPolicy.MANUAL,
                no_reply=True,
                decoder=_decode,
                title=subscription.durable,
                description=subscription.handler.__doc__,
                include_in_schema=number == 0,
            )
            subscriber(_typed(subscription))

    async def start(self) -> None:
        """Declare the consumers, then start pulling."""
        for subscription in self._subscriptions.values():
            with unavailable(subscription.durable):
                await self._bus.jetstream.add_consumer(
                    stream_of(subscription.event.subject), self._consumer(subscription)
                )
        await self._bus.broker.start()
        for subscriber in self._bus.broker.subscribers:
            subscriber.subscription = Pull(subscriber.subscription, self._bus)  # type: ignore[attr-defined]

    @property
    def running(self) -> bool:
        """Whether every subscription pulls."""
        return not self._stopping and all(_pulls(subscriber) for subscriber in self._bus.broker.subscribers)

    def at_work_on(self, correlation_id: str) -> list[str]:
        """Return the handlers that have an event of this correlation in hand."""
        return [
            hand.subscription.durable
            for hand in self._in_hand.values()
            if hand.event is not None and hand.event.correlationid == correlation_id
        ]

    async def idle(self) -> bool:
        """Return whether nothing is in hand and no consumer has a message that it was not given yet.

        What was put off, to be delivered again later, does not count.
        """
        if self._in_hand:
            return False
        for subscription in self._subscriptions.values():
            with unavailable(subscription.durable):
                stream = stream_of(subscription.event.subject)
                if (await self._bus.jetstream.consumer_info(stream, subscription.durable)).num_pending:
                    return False
        return not self._in_hand

    async def stop(self) -> None:
        """Pull no more, cancel what is in hand and give it back to the bus at once."""
        self._stopping = True
        for subscriber in self._bus.broker.subscribers:
            if isinstance(pull := getattr(subscriber, "subscription", None), Pull):
                await pull.close()
        hands = list(self._in_hand.values())
        await end(hand.work for hand in hands if hand.work is not None)
        await asyncio.gather(*(hand.settled.wait() for hand in hands))

    async def deliver(self, call_next: _Next, message: NatsMessage) -> None:
        """Bring one message to its handler and settle it."""
        hand = _Hand(message.raw_message, self._subscriptions[message.raw_message.metadata.consumer])
        if self._stopping:
            await _nak(hand.raw)
            return
        if hand.raw.metadata.num_delivered > 1:
            telemetry.REDELIVERED.labels(self._service, hand.raw.subject).inc()
        if hand.key in self._in_hand:
            # The bus was away for longer than it waits; the first copy answers for both.
            self._count(hand, "duplicate")
            return
        self._in_hand[hand.key] = hand
        hand.work = asyncio.create_task(self._work(call_next, message, hand))
        try:
            async with _heartbeat(hand.raw, self._ack_wait_s / _BEATS_PER_ACK_WAIT):
                await hand.work
        except asyncio.CancelledError:
            await _nak(hand.raw)
            self._count(hand, "handed back")
            if _being_cancelled():
                raise
        finally:
            del self._in_hand[hand.key]
            hand.settled.set()

    async def _work(self, call_next: _Next, message: NatsMessage, hand: _Hand) -> None:
        started = time.monotonic()
        telemetry.bind(handler=hand.subscription.durable)
        try:
            event: Envelope[Any] = await message.decode()  # type: ignore[assignment]
            hand.event = event
            telemetry.bind(event=event.id, correlation=event.correlationid, run=getattr(event.data, "run_id", None))
            for outgoing in await call_next(message):
                await self._publish(outgoing, event, hand.subscription)
        except Exception as error:
            await self._settle(error, hand)
        else:
            self._failed.pop(hand.key, None)
            await _acknowledge(hand.raw)
            self._count(hand, "done")
        finally:
            telemetry.HANDLING_SECONDS.labels(self._service, hand.handler).observe(time.monotonic() - started)

    async def _publish(self, outgoing: Outgoing, event: Envelope[Any], subscription: Subscription) -> None:
        if type(outgoing.data) not in subscription.publishes:
            raise ContractError(
                f"returned {outgoing.data.subject}, which it does not declare",
                where=subscription.durable,
                hint="name it in publishes=",
            )
        cause = outgoing.cause or event
        await self._bus.publish(
            cause.caused(outgoing.data, source=self._service, now=self._clock(), discriminator=outgoing.discriminator)
        )
        telemetry.PUBLISHED.labels(self._service, outgoing.data.subject).inc()

    async def _settle(self, error: Exception, hand: _Hand) -> None:
        if isinstance(error, NotYet):
            _log.debug("%s; comes again in %g s", error, error.delay_s)
            await _nak(hand.raw, error.delay_s)
            self._count(hand, "put off")
            return
        verdict = self.policy.judge(error, self._failed.setdefault(hand.key, History()), time.monotonic())
        trace = None if isinstance(error, CbiError) else error
        if isinstance(verdict, Retry):
            _log.warning("%s; tried again in %g s", describe(error), verdict.delay_s, exc_info=trace)
            await _nak(hand.raw, verdict.delay_s)
            self._count(hand, "retried")
            return
        _log.error("given up: %s", verdict.reason, exc_info=trace)
        try:
            await self._bury(verdict, hand)
        except CbiError as trouble:
            _log.error("cannot keep it as a dead letter yet: %s", trouble)
            await _nak(hand.raw, self.policy.transient_delays_s[-1])
            return
        self._failed.pop(hand.key, None)
        with suppress(nats_errors.Error):  # it would come again and be given up again
            await hand.raw.term()
        self._count(hand, "dead")

    async def _bury(self, verdict: GiveUp, hand: _Hand) -> None:
        raw, event = hand.raw, hand.event
        correlation = event.correlationid if event else correlation_of(raw.data)
        await bury(self._bus, DeadLetter.of(raw, verdict.reason, correlation), once_for_all=event is None)
        telemetry.DEAD.labels(self._service, raw.subject).inc()
        if not verdict.alert or event is None or isinstance(event.data, AlertRaised):
            return
        durable = hand.subscription.durable
        alert = AlertRaised(
            market=getattr(event.data, "market", None),
            severity="critical",
            source=durable,
            what=f"{raw.subject} was given up: {verdict.reason}",
            hint="`cbi dead list` shows it, `cbi dead replay` sends it again",
        )
        await self._bus.publish(event.caused(alert, source=self._service, now=self._clock(), discriminator=durable))

    def _consumer(self, subscription: Subscription) -> ConsumerConfig:
        return ConsumerConfig(
            name=subscription.durable,
            durable_name=subscription.durable,
            filter_subject=subscription.event.subject,
            deliver_policy=DeliverPolicy.NEW if subscription.new_only else DeliverPolicy.ALL,
            ack_wait=self._ack_wait_s,
            max_deliver=_MAX_DELIVER,
            max_ack_pending=1 if subscription.parallel == 1 else _MAX_PENDING,
        )

    def _count(self, hand: _Hand, outcome: str) -> None:
        telemetry.HANDLED.labels(self._service, hand.subscription.event.subject, outcome).inc()


def _pulls(subscriber: Any) -> bool:
    return subscriber.running and any(not task.done() for task in subscriber.tasks)


def _being_cancelled() -> bool:
    # And not only the work that it waits for: raising then would end FastStream's loop for good.
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _decode(message: NatsMessage) -> Envelope[Any]:
    raw = message.raw_message
    place = raw.metadata
    if _RELAYED in (raw.headers or {}):
        # Whoever may read a stream can have the bus send a message of it to any subject, past what he may publish.
        hint = "publish it on its own subject"
        raise ContractError("the bus was made to send it, nobody published it", where=raw.subject, hint=hint)
    # A bare object gets the time at which the stream took it, so that all consumers wrap it alike.
    return parse(
        raw.data, subject=raw.subject, stream=place.stream, sequence=place.sequence.stream, now=place.timestamp
    )


def _typed(subscription: Subscription) -> _Next:
    async def handle(event: Any) -> Any:
        return await subscription.handler(event)

    # FastStream reads the payload's schema from the signature.
    handle.__annotations__ = {"event": Envelope[subscription.event]}  # type: ignore[name-defined]
    handle.__name__ = subscription.durable.partition("--")[2]
    return handle


@asynccontextmanager
async def _heartbeat(raw: Msg, every_s: float) -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await raw.in_progress()
            except nats_errors.Error as error:
                _log.debug("no heartbeat: %s", error)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        await end([task])


async def _acknowledge(raw: Msg) -> None:
    for _ in range(_ACK_ATTEMPTS):
        try:
            await raw.ack_sync(timeout=_ACK_TIMEOUT_S)
        except nats_errors.Error as error:
            _log.debug("not acknowledged yet: %s", error)
            await asyncio.sleep(0.2)
        else:
            return
    _log.warning("the bus did not take the acknowledgement: the message will come again")


async def _nak(raw: Msg, delay_s: float | None = None) -> None:
    try:
        await raw.nak(delay=delay_s)
    except nats_errors.Error as error:
        _log.debug("not handed back, the bus will notice by itself: %s", error)
