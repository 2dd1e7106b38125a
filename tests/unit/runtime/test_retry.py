"""When a message is tried again and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import ContractError, InfrastructureError, JobError, TransientError, UsageError
from cbi_common.runtime.retry import GiveUp, History, Retry, RetryPolicy, describe


def test_a_broken_contract_is_never_tried_again_and_wakes_nobody() -> None:
    verdict = RetryPolicy().judge(ContractError("bad", where="x"), History(), 0)
    assert verdict == GiveUp("x: bad", alert=False)


@pytest.mark.parametrize("error", [JobError("a"), InfrastructureError("b"), KeyError("c")])
def test_other_errors_are_tried_as_often_as_there_are_delays(error: Exception) -> None:
    policy, history = RetryPolicy(error_delays_s=(1, 5)), History()
    verdicts = [policy.judge(error, history, 0) for _ in range(3)]
    assert verdicts[:2] == [Retry(1), Retry(5)]
    assert verdicts[2] == GiveUp(f"{describe(error)} (failed 3 times)", alert=True)


@given(st.lists(st.floats(min_value=0.1, max_value=60), min_size=1, max_size=200))
def test_a_transient_error_is_tried_for_a_bounded_time_however_often(gaps: list[float]) -> None:
    policy, history, now = RetryPolicy(transient_total_s=600), History(), 0.0
    for gap in gaps:
        verdict = policy.judge(TransientError("away"), history, now)
        assert isinstance(verdict, GiveUp) == (now > 600)
        if isinstance(verdict, GiveUp):
            assert verdict.alert
            return
        assert 0 < verdict.delay_s <= 30
        now += gap


def test_waiting_for_the_bus_does_not_use_up_the_attempts() -> None:
    policy, history = RetryPolicy(), History()
    for _ in range(50):
        policy.judge(TransientError("away"), history, 0)
    assert policy.judge(JobError("broke"), history, 0) == Retry(1)


def test_a_reason_is_one_line() -> None:
    assert describe(ValueError("a\n  b")) == "ValueError: a b"


def test_an_order_that_names_what_does_not_exist_is_given_up_at_once_and_a_person_hears_of_it() -> None:
    verdict = RetryPolicy().judge(UsageError("no market 'tulips'"), History(), 0.0)
    assert verdict == GiveUp("no market 'tulips'", alert=True)
