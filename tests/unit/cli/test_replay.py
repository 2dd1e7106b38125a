"""``cbi replay``: its steps, what makes two replays one, and its last words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.clock import SimulatedClock
from cbi_common.core.errors import IncompleteError, UsageError
from cbi_common.reporting.replayed import Replayed, Step, scores, step_line
from cbi_common.runtime.commands.replay_outcome import conclude
from cbi_common.runtime.commands.replaying import ReplayRequest, sessions_in
from cbi_common.runtime.settings import Settings

WEEK = date(2024, 6, 3)


def request(**changes: Any) -> ReplayRequest:
    settings = Settings(warehouse=changes.pop("warehouse", "simulated?sessions=1500"))
    known = {"profile": "smoke", "start": WEEK, "end": date(2024, 6, 28), "every": "1w", "sessions": 5}
    return ReplayRequest(settings=settings, **(known | changes))


@pytest.mark.parametrize("every", ["", "1", "0w", "-1w", "1y", "1w2", "1.5d", "w"])
def test_what_is_no_step_is_refused_in_one_line(every: str) -> None:
    with pytest.raises(UsageError, match="no step") as refused:
        sessions_in(every)
    assert refused.value.where == "--every"


def test_steps_are_trading_days() -> None:
    days = request().days
    assert days == [date(2024, 6, 3), date(2024, 6, 10), date(2024, 6, 17), date(2024, 6, 25)]  # the 19th is a holiday
    assert request(start=date(2024, 6, 1)).days == days  # a Saturday


def test_a_span_without_a_trading_day_is_refused() -> None:
    with pytest.raises(UsageError, match="no trading day"):
        _ = request(start=date(2024, 6, 8), end=date(2024, 6, 9)).days


def test_a_later_end_is_the_same_replay_and_anything_else_another() -> None:
    own = request().identity()
    assert request(end=date(2025, 1, 3)).identity() == own
    others = [
        request(sessions=1),
        request(profile="quick"),
        request(start=date(2024, 6, 4)),
        request(warehouse="simulated?sessions=1500&seed=2"),
    ]
    assert len({own, *(other.identity() for other in others)}) == 5


def test_the_event_of_a_day_has_an_id_of_its_own_and_always_the_same() -> None:
    asked, now = request(), datetime(2026, 1, 1, tzinfo=UTC)
    own = asked.identity()
    first, again = asked.event(own, WEEK, now), asked.event(own, WEEK, now + timedelta(hours=1))
    assert first.id == again.id == first.correlationid
    assert first.id != asked.event(own, date(2024, 6, 10), now).id
    assert first.data.as_of == WEEK
    assert not first.data.refit


@given(st.lists(st.integers(0, 400), min_size=1, max_size=20))
def test_a_simulated_clock_never_goes_back(days: list[int]) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    clock, last = SimulatedClock(start), start
    for day in days:
        clock.advance(start + timedelta(days=day))
        now = clock()
        assert now >= last
        assert now >= start + timedelta(days=day)
        last = now


def replayed(**changes: Any) -> Replayed:
    step = Step(session=WEEK, as_of=WEEK, request_id="a", run_id="b", regime="bull", forecasts={})
    known = {
        "market": "zl", "warehouse": "simulated", "simulated": True, "profile": "smoke", "unit": "¢/lb", "every": "1w",
        "steps": (step,), "validations": {}, "wall_s": 1.0,
    }  # fmt: skip
    return Replayed(**(known | changes))


def test_a_day_without_a_forecast_is_said_and_counts_as_incomplete() -> None:
    rejected = Step(
        session=WEEK, as_of=None, request_id="a", run_id=None, regime=None, forecasts={}, rejected="prices: hole"
    )
    assert "rejected: prices: hole" in step_line(rejected, None)
    with pytest.raises(IncompleteError, match="1 of 1 days"):
        conclude(replayed(steps=(rejected,)), "var/lake-replay", None)


def test_a_horizon_that_nothing_has_matured_at_is_named() -> None:
    table = scores(replayed(), "issued")
    assert table.rows == ()
    assert "12m" in table.note
    assert "SIMULATED" in table.title
