"""The verdict: what passes, and everything that must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cbi_common.testing.chaos.scenario import Kind
from cbi_common.testing.chaos.verdict import Letter, Outcome, judge

UNDISTURBED = Outcome(results={"forecast.ready": "49.5", "explanation.ready": "why"})
FULL = Letter(3, "jobs.train.cpu", "trainer-cpu--train", "lake x: the disk is full; free space", ("JOBS", 5))
GIVEN_UP = replace(UNDISTURBED, results={}, letters=(FULL,), alarms=("trainer-cpu--train",))


def words(
    first: Outcome,
    last: Outcome | None = None,
    kinds: tuple[Kind, ...] = ("kill",),
    injected: tuple[tuple[str, int], ...] = (),
) -> tuple[str, tuple[str, ...]]:
    verdict = judge(UNDISTURBED, first, last or first, kinds=kinds, injected=injected)
    assert verdict.passed == (verdict.word != "FAILED")
    return verdict.word, verdict.why


def test_equal_to_the_last_bit_is_the_same() -> None:
    assert words(replace(UNDISTURBED)) == ("same", ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"results": {**UNDISTURBED.results, "forecast.ready": "49.50000001"}}, "forecast.ready differs"),
        ({"results": {"forecast.ready": "49.5"}}, "explanation.ready is missing"),
        ({"results": {**UNDISTURBED.results, "forecast.ready, said differently": "1"}}, "said differently differs"),
        ({"untold": ("ridge@1w",)}, "nothing was said of ridge@1w"),
        ({"failed": ("ridge@1w: no",)}, "model failed: ridge@1w: no"),
        ({"stuck": {"ensemble--record_trained": 2}}, "ensemble--record_trained still holds 2"),
        ({"letters": (FULL,), "alarms": ("trainer-cpu--train",)}, "trainer-cpu--train gave up jobs.train.cpu: lake x"),
    ],
)
def test_whatever_is_lost_or_changed_fails(change: dict[str, object], why: str) -> None:
    word, said = words(replace(UNDISTURBED, **change))  # type: ignore[arg-type]
    assert word == "FAILED"
    assert any(why in line for line in said)


def test_a_precise_error_and_then_the_same_is_recovered() -> None:
    assert words(GIVEN_UP, UNDISTURBED, ("full_disk",)) == (
        "recovered",
        ("trainer-cpu--train: lake x: the disk is full; free space",),
    )


def test_an_error_that_its_fault_does_not_explain_fails() -> None:
    assert words(GIVEN_UP, UNDISTURBED, ("kill",))[0] == "FAILED"
    odd = replace(GIVEN_UP, letters=(replace(FULL, reason="KeyError: 'x'"),))
    assert words(odd, UNDISTURBED, ("full_disk",))[0] == "FAILED"


def test_an_error_that_nobody_is_told_of_fails() -> None:
    word, why = words(replace(GIVEN_UP, alarms=()), UNDISTURBED, ("full_disk",))
    assert (word, why) == ("FAILED", ("trainer-cpu--train gave up jobs.train.cpu and told nobody",))


def test_an_error_after_which_it_is_not_the_same_fails() -> None:
    last = replace(UNDISTURBED, results={})
    assert words(GIVEN_UP, last, ("full_disk",))[0] == "FAILED"


def test_dead_letters_are_exactly_those_that_were_injected() -> None:
    injected = replace(FULL, reason="not JSON", place=("EVENTS", 9))
    buried = replace(UNDISTURBED, letters=(injected,))
    assert words(buried, injected=(("EVENTS", 9),)) == ("same", ())
    assert words(UNDISTURBED, injected=(("EVENTS", 9),))[1] == ("EVENTS:9 was injected and is no dead letter",)
    assert words(buried)[0] == "FAILED"
