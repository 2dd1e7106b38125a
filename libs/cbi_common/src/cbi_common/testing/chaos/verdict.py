"""What a pass has left, and whether that is what must be left: pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cbi_common.testing.chaos.scenario import Kind

Word = Literal["same", "recovered", "FAILED"]

TOLERATED: dict[Kind, str] = {
    "full_disk": r"the disk is full|No space left|the bus refuses|nobody acknowledged it",
    "corrupt": r"was damaged and is removed|object is missing",
    "half_written": r"was damaged and is removed|object is missing",
}
"""Kind to the reasons with which a message may be given up under it; under the other kinds none may be."""


@dataclass(frozen=True)
class Letter:
    """A message that was given up."""

    number: int
    subject: str
    consumer: str
    reason: str
    place: tuple[str, int]
    """Stream and sequence of the message."""


@dataclass(frozen=True)
class Outcome:
    """What is there when nothing is at work any more.

    Attributes
    ----------
    results : name of each result to its bytes, as far as they must be equal
    untold : jobs that were planned and of which nothing was said, ``model@horizon``
    failed : models that failed, with the reason
    letters : dead letters
    stuck : consumers that still hold messages, and how many
    alarms : sources of the critical alerts
    """

    results: Mapping[str, str] = field(default_factory=dict)
    untold: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    letters: tuple[Letter, ...] = ()
    stuck: Mapping[str, int] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()

    def differs_from(self, undisturbed: Outcome) -> list[str]:
        """Return the results that are missing or different, by name."""
        names = sorted({*self.results, *undisturbed.results})
        return [name for name in names if self.results.get(name) != undisturbed.results.get(name)]


@dataclass(frozen=True)
class Verdict:
    """How a scenario ended.

    ``same``: as if nothing had happened. ``recovered``: with a precise error, and as if nothing had happened once the
    fault was over and what the error says had been done. ``FAILED``: with neither; ``why`` says what is wrong.
    """

    word: Word
    why: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it is one of the two that may be."""
        return self.word != "FAILED"


def judge(
    undisturbed: Outcome,
    first: Outcome,
    last: Outcome,
    *,
    kinds: Collection[Kind],
    injected: Collection[tuple[str, int]],
) -> Verdict:
    """Return the verdict of a scenario.

    Parameters
    ----------
    undisturbed : Outcome
        Of the pass that nobody troubled.
    first : Outcome
        When the faults were over and all was quiet.
    last : Outcome
        After the dead letters had been sent again and, where that was not enough, the run made again; ``first`` itself
        when nothing had to be done.
    kinds : collection of Kind
        What was done to it.
    injected : collection of (stream, sequence)
        Messages that must be given up.
    """
    why = _unexplained(first, kinds, set(injected))
    why += _unburied(first, set(injected))
    why += _wrong(undisturbed, last)
    if why:
        return Verdict("FAILED", tuple(why))
    return Verdict("same" if first is last else "recovered", tuple(_errors(first, set(injected))))


def own_letters(outcome: Outcome, injected: Collection[tuple[str, int]]) -> list[Letter]:
    """Return the letters of messages that were not meant to be given up."""
    return [letter for letter in outcome.letters if letter.place not in injected]


def _wrong(undisturbed: Outcome, last: Outcome) -> list[str]:
    said = [
        f"{name} differs" if name in last.results else f"{name} is missing" for name in last.differs_from(undisturbed)
    ]
    said += [f"nothing was said of {job}" for job in last.untold]
    said += [f"{consumer} still holds {count}" for consumer, count in sorted(last.stuck.items())]
    return said


def _unexplained(first: Outcome, kinds: Collection[Kind], injected: set[tuple[str, int]]) -> list[str]:
    """Return what was given up although nothing made it impossible, or without an alert."""
    patterns = [TOLERATED[kind] for kind in kinds if kind in TOLERATED]
    tolerated = re.compile("|".join(patterns)) if patterns else None
    said = []
    for letter in own_letters(first, injected):
        if tolerated is None or not tolerated.search(letter.reason):
            said.append(f"{letter.consumer} gave up {letter.subject}: {letter.reason}")
        elif letter.consumer not in first.alarms:
            said.append(f"{letter.consumer} gave up {letter.subject} and told nobody")
    failures = [f for f in first.failed if tolerated is None or not tolerated.search(f)]
    return said + [f"model failed: {failure}" for failure in failures]


def _unburied(first: Outcome, injected: set[tuple[str, int]]) -> list[str]:
    buried = {letter.place for letter in first.letters}
    return [f"{stream}:{sequence} was injected and is no dead letter" for stream, sequence in sorted(injected - buried)]


def _errors(first: Outcome, injected: set[tuple[str, int]]) -> list[str]:
    reasons = {f"{letter.consumer}: {letter.reason}" for letter in own_letters(first, injected)}
    return sorted({*reasons, *first.failed})
