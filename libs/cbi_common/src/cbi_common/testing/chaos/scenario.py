"""What is done to the stack in one scenario: a pure function of its seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "kill",
    "torn_write",
    "pause",
    "bus_kill",
    "bus_restart",
    "link",
    "ack_wait",
    "duplicate",
    "reorder",
    "window",
    "slow_disk",
    "full_disk",
    "clock",
    "poison",
    "half_written",
    "corrupt",
]
Moment = Literal["before", "after", "unacknowledged"]
Warmth = Literal["cold", "fits"]

MOMENTS: tuple[Moment, ...] = ("before", "after", "unacknowledged")
FITTED_SHARE = 0.92
"""Of the scenarios that begin with all fits in the lake, which are most of what a cold pass costs."""


@dataclass(frozen=True)
class Boundary:
    """A place in the pass: the ``nth`` time that a service publishes an event.

    ``before``: it is on its way to the bus, which has not seen it. ``after``: the bus has it, the service has not been
    told. ``unacknowledged``: the service has been told, and its acknowledgement of the cause is on its way.
    """

    service: str
    subject: str
    nth: int
    moment: Moment

    def __str__(self) -> str:
        """Return it as the report shows it."""
        return f"{self.moment} {self.subject}#{self.nth} of {self.service}"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : what
    at : when it strikes
    target : a service, ``child:SERVICE``, ``nursery:SERVICE``, ``bus`` or ``lake``; empty where the kind has none
    how : variety of the kind
    amount : strength, in the unit of the kind: seconds of delay, copies, bytes, the number of a write
    seconds : how long it lasts
    """

    kind: Kind
    at: Boundary
    target: str = ""
    how: str = ""
    amount: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return it as the report shows it."""
        words = [self.kind, self.target, self.how]
        words += [f"x{self.amount:g}"] if self.amount else []
        words += [f"for {self.seconds:g} s"] if self.seconds else []
        return " ".join([*filter(None, words), str(self.at)])


@dataclass(frozen=True)
class Scenario:
    """Faults to compose, and what the lake holds at the beginning (``cold``: nothing)."""

    seed: int
    warmth: Warmth
    faults: tuple[Fault, ...]


PUBLISHED: dict[tuple[str, str], int] = {
    ("ingest", "data.exported"): 1,
    ("trainer-cpu", "training.planned"): 1,
    ("trainer-cpu", "jobs.train.cpu"): 4,
    ("trainer-cpu", "model.trained"): 10,
    ("trainer-metal", "training.planned"): 1,
    ("trainer-metal", "jobs.train.metal"): 1,
    ("trainer-metal", "model.trained"): 5,
    ("regime", "regime.detected"): 1,
    ("ensemble", "forecast.ready"): 1,
    ("explain", "explanation.ready"): 1,
    ("monitor", "validation.completed"): 1,
    ("promoter", "gates.judged"): 1,
}
"""How often a service publishes an event in a pass with profile smoke that nobody troubles, at least."""

HEARD = (
    "data.requested",
    "data.exported",
    "jobs.train.cpu",
    "jobs.train.metal",
    "model.trained",
    "model.failed",
    "regime.detected",
    "forecast.ready",
    "explanation.ready",
    "gates.judged",
    "drift.detected",
)
"""Subjects that somebody listens to: what is wrong there becomes a dead letter."""

_SERVICES = ("ingest", "trainer-cpu", "trainer-metal", "regime", "ensemble", "explain", "monitor", "promoter")
_AT_WORK_AFTER: dict[str, tuple[str, str]] = {
    "trainer-cpu": ("trainer-cpu", "jobs.train.cpu"),
    "trainer-metal": ("trainer-metal", "jobs.train.metal"),
    "regime": ("ingest", "data.exported"),
    "ensemble": ("trainer-metal", "model.trained"),
    "explain": ("ensemble", "forecast.ready"),
    "monitor": ("ensemble", "forecast.ready"),
    "promoter": ("explain", "explanation.ready"),
}
"""Service to the event after which its children are at work."""


def draw(seed: int, kinds: Sequence[Kind]) -> Scenario:
    """Return the scenario of a seed: one to three faults.

    Its first kind goes round with the seed, so that as many seeds in a row as there are kinds have each of them.

    Parameters
    ----------
    seed : int
    kinds : sequence of Kind
        What may be drawn.
    """
    rng = random.Random(f"chaos {seed}")
    chosen = [kinds[seed % len(kinds)]]
    chosen += rng.choices(kinds, k=rng.choice((0, 0, 1, 1, 2)))
    faults = tuple(_DRAW[kind](rng, kind) for kind in chosen)
    warmth: Warmth = "fits" if rng.random() < FITTED_SHARE else "cold"
    return Scenario(seed, warmth, faults)


def _boundary(rng: random.Random, moments: Sequence[Moment] = MOMENTS) -> Boundary:
    service, subject = rng.choice(list(PUBLISHED))
    return Boundary(service, subject, rng.randint(1, PUBLISHED[service, subject]), rng.choice(moments))


def _of(rng: random.Random, service: str) -> Boundary:
    """Return a boundary that the service itself publishes."""
    subject = rng.choice([subject for name, subject in PUBLISHED if name == service])
    return Boundary(service, subject, rng.randint(1, PUBLISHED[service, subject]), rng.choice(MOMENTS))


def _at_work(rng: random.Random, service: str) -> Boundary:
    """Return a boundary after which children of the service are at work."""
    publisher, subject = _AT_WORK_AFTER[service]
    last = 2 if subject == "jobs.train.cpu" else 1
    return Boundary(publisher, subject, rng.randint(1, last), "after")


def _kill(rng: random.Random, kind: Kind) -> Fault:
    what = rng.choice(("service", "bystander", "child", "nursery"))
    if what == "service":
        at = _boundary(rng)
        return Fault(kind, at, target=at.service)
    if what == "bystander":
        return Fault(kind, _boundary(rng), target=rng.choice(_SERVICES))
    service = rng.choice(list(_AT_WORK_AFTER))
    return Fault(kind, _at_work(rng, service), target=f"{what}:{service}")


def _torn_write(rng: random.Random, kind: Kind) -> Fault:
    service = rng.choice(("trainer-cpu", "regime", "explain"))
    how = rng.choice(("fsync", "rename"))
    return Fault(kind, _at_work(rng, service), target=service, how=how, amount=rng.randint(1, 2), seconds=8)


def _pause(rng: random.Random, kind: Kind) -> Fault:
    target = rng.choice((*_SERVICES, "bus", "child:trainer-cpu", "child:explain"))
    seconds = round(rng.uniform(3.5, 7), 1)
    at = _at_work(rng, target.partition(":")[2]) if ":" in target else _boundary(rng)
    return Fault(kind, at, target=target, seconds=seconds)


def _bus(rng: random.Random, kind: Kind) -> Fault:
    return Fault(kind, _boundary(rng), target="bus")


def _link(rng: random.Random, kind: Kind) -> Fault:
    at = _boundary(rng)
    target = rng.choice((at.service, rng.choice(_SERVICES)))
    how = rng.choice(("late", "cut", "silent"))
    delay = round(rng.uniform(0.3, 5), 1) if how == "late" else 0.0
    return Fault(kind, at, target=target, how=how, amount=delay, seconds=round(rng.uniform(2, 8), 1))


def _ack_wait(rng: random.Random, kind: Kind) -> Fault:
    return Fault(kind, _boundary(rng), amount=round(rng.uniform(0.2, 0.9), 2), seconds=round(rng.uniform(3, 8), 1))


def _duplicate(rng: random.Random, kind: Kind) -> Fault:
    at = _boundary(rng, ("after", "unacknowledged"))
    return Fault(kind, at, how=rng.choice(("same_id", "no_id")), amount=rng.randint(1, 4))


def _reorder(rng: random.Random, kind: Kind) -> Fault:
    at = _boundary(rng, ("after", "unacknowledged"))
    return Fault(kind, at, how=rng.choice(("reversed", "shuffled")), amount=rng.randint(1, 1000))


def _window(rng: random.Random, kind: Kind) -> Fault:
    service = rng.choice(_SERVICES)
    return Fault(kind, _of(rng, service), target=service, amount=0.1, seconds=12)


def _slow_disk(rng: random.Random, kind: Kind) -> Fault:
    service = rng.choice(("ingest", *_AT_WORK_AFTER))
    at = _of(rng, service) if service == "ingest" else _at_work(rng, service)
    return Fault(kind, at, target=service, amount=round(rng.uniform(0.05, 0.4), 2), seconds=round(rng.uniform(3, 8), 1))


def _full_disk(rng: random.Random, kind: Kind) -> Fault:
    target = rng.choice(("lake", "lake", "bus"))
    return Fault(kind, _boundary(rng), target=target, seconds=round(rng.uniform(1, 12), 1))


def _clock(rng: random.Random, kind: Kind) -> Fault:
    size = rng.choice((90, 1800, 4 * 3600, 26 * 3600, 400 * 86400))
    target = rng.choice((*_SERVICES, "all"))
    return Fault(kind, _boundary(rng), target=target, amount=rng.choice((-1, 1)) * size, seconds=rng.choice((4, 30)))


POISONS = ("not_json", "binary", "list", "schema", "type", "huge", "deep", "oversized", "dangling")


def _poison(rng: random.Random, kind: Kind) -> Fault:
    how = rng.choice(POISONS)
    subject = rng.choice(HEARD) if how != "dangling" else rng.choice(("data.exported", "forecast.ready"))
    return Fault(kind, _boundary(rng), target=subject, how=how, amount=rng.randint(1, 3))


def _half_written(rng: random.Random, kind: Kind) -> Fault:
    how = rng.choice(("part_file", "orphan_blob", "no_blob", "empty_ref", "half_ref", "half_blob"))
    return Fault(kind, _boundary(rng), how=how, amount=rng.randint(1, 1000))


def _corrupt(rng: random.Random, kind: Kind) -> Fault:
    how = rng.choice(("truncated", "empty", "bit_flipped", "missing"))
    return Fault(kind, _boundary(rng), how=how, amount=rng.randint(1, 1000))


_DRAW = {
    "kill": _kill,
    "torn_write": _torn_write,
    "pause": _pause,
    "bus_kill": _bus,
    "bus_restart": _bus,
    "link": _link,
    "ack_wait": _ack_wait,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "window": _window,
    "slow_disk": _slow_disk,
    "full_disk": _full_disk,
    "clock": _clock,
    "poison": _poison,
    "half_written": _half_written,
    "corrupt": _corrupt,
}
KINDS: tuple[Kind, ...] = tuple(_DRAW)  # type: ignore[arg-type]  # mypy reads the keys as str
