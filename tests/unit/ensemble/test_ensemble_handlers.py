import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from cbi_common.core.errors import NotYet
from cbi_common.core.horizon import Horizon
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.markets.files import load_market
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.timeseries.regimes import CLASSES, rule_labels
from ensemble import jobs
from ensemble.app import build
from ensemble.handlers import Handlers

JOBS = {"ensemble.jobs:combine": jobs.combine}


@pytest.fixture
def kit(tmp_path):
    return make_kit(tmp_path, jobs=JOBS)


@pytest.fixture
def small(kit, world_of):
    return world_of(kit.lake, models=("lgbm",))


async def send(handlers, data, correlation="c1"):
    by_type = {
        DataExported: handlers.record_export,
        RegimeDetected: handlers.record_regime,
        ModelTrained: handlers.record_trained,
        ModelFailed: handlers.record_failed,
    }
    return list(await by_type[type(data)](envelope(data, correlation=correlation)))


async def send_all(handlers, parts, correlation="c1"):
    return [await send(handlers, part, correlation) for part in parts]


def test_the_last_part_makes_the_forecast_whatever_the_order(tmp_path, small):
    parts, found = small.parts(), []
    for order in itertools.permutations(parts):
        fresh = make_kit(tmp_path, jobs=JOBS)
        answers = asyncio.run(send_all(Handlers(fresh), order))
        assert [len(a) for a in answers] == [0] * (len(parts) - 1) + [1]
        found.append(answers[-1][0])
    assert all(isinstance(f.data, ForecastReady) for f in found)
    assert all(f.data == found[0].data for f in found)
    assert {(f.discriminator, f.cause.type) for f in found} == {("final", "data.exported")}


def test_nothing_is_lost_when_the_process_starts_again(kit, small):
    answers = [asyncio.run(send(Handlers(kit), part)) for part in small.parts()]
    assert [len(a) for a in answers] == [0, 0, 0, 1]


def test_a_repeated_part_repeats_the_event_without_work(kit, small):
    handlers, parts = Handlers(kit), small.parts()
    first = asyncio.run(send_all(handlers, parts))[-1]
    again = asyncio.run(send(handlers, parts[-1]))
    assert first == again
    assert len(kit.workers.calls) == 1


def test_parts_that_arrive_at_once_are_combined_once(kit, small):
    async def at_once():
        handlers = Handlers(kit)
        return await asyncio.gather(*(send(handlers, part) for part in small.parts()))

    answers = [out for answer in asyncio.run(at_once()) for out in answer]
    assert len(kit.workers.calls) == 1
    assert answers
    assert all(out.data == answers[0].data for out in answers)


def test_runs_do_not_mix(kit, small, world_of):
    other = world_of(kit.lake, models=("lgbm",), tag="b")
    handlers = Handlers(kit)
    mine, theirs = small.parts(), other.parts()
    asyncio.run(send_all(handlers, mine[:-1]))
    assert asyncio.run(send(handlers, theirs[-1])) == []
    assert asyncio.run(send(handlers, mine[-1], correlation="c2")) == []
    assert len(asyncio.run(send(handlers, mine[-1]))) == 1


def test_failed_members_count_as_terminal(kit, world_of):
    world = world_of(kit.lake)
    answers = asyncio.run(send_all(Handlers(kit), world.parts(failed=("drift",))))
    ready = answers[-1][0].data
    assert ready.missing_members == ("drift@1m", "drift@1w")
    assert "drift" not in ready.forecasts[Horizon.W1].members


def test_incomplete_export_is_ignored(kit):
    assert asyncio.run(send(Handlers(kit), DataExported(market="zl"))) == []
    assert kit.state.entries == {}


def test_a_correlation_of_any_spelling_makes_a_key(kit, small):
    answers = asyncio.run(send_all(Handlers(kit), small.parts(), correlation='night/7: *> "x"'))
    assert len(answers[-1]) == 1


def later(kit, seconds, ran=1e6):
    """The same stack, so much later; the service has run for so long."""
    moment = kit.clock() + timedelta(seconds=seconds)
    times = itertools.chain([moment - timedelta(seconds=ran)], itertools.repeat(moment))
    return Handlers(replace(kit, clock=lambda: next(times)))


def issued(handlers, export):
    return asyncio.run(handlers.issue_provisional(envelope(export, correlation="c1")))


@pytest.mark.parametrize(
    ("arrived", "seconds", "put_off_s"),
    [(1, 0, 1800), (1, 1000, 800), (1, 1800, 300), (1, 7000, 200), (6, 1799, 1)],
)
def test_before_its_time_a_provisional_forecast_is_put_off(kit, world_of, arrived, seconds, put_off_s):
    parts = world_of(kit.lake).parts()
    asyncio.run(send_all(Handlers(kit), parts[: 1 + arrived]))
    with pytest.raises(NotYet) as found:
        issued(later(kit, seconds), parts[0])
    assert found.value.delay_s == put_off_s


def test_with_a_quorum_a_provisional_forecast_says_who_is_missing(kit, world_of):
    parts = world_of(kit.lake).parts(failed=("drift",))
    asyncio.run(send_all(Handlers(kit), parts[:-1]))
    (out,) = issued(later(kit, 1800), parts[0])
    assert (out.data.provisional, out.discriminator) == (True, "provisional")
    assert out.data.awaited == ("no_change@1m",)
    assert out.data.missing_members == ("drift@1m", "drift@1w", "no_change@1m")
    assert set(out.data.forecasts) == {Horizon.W1, Horizon.M1}
    assert issued(later(kit, 1801), parts[0]) == [out]
    assert len(kit.workers.calls) == 1


def test_at_the_deadline_what_is_there_is_issued_and_the_late_members_make_the_final(kit, world_of):
    parts = world_of(kit.lake).parts()
    asyncio.run(send_all(Handlers(kit), parts[:2]))
    (early,) = issued(later(kit, 7200), parts[0])
    assert [f.members for f in early.data.forecasts.values()] == [{"no_change": 1.0}, {"no_change": 1.0}]
    assert early.data.forecasts[Horizon.W1].lower_90 < early.data.forecasts[Horizon.W1].point
    final = asyncio.run(send_all(later(kit, 9000), parts[2:]))[-1][0]
    assert (final.data.provisional, final.data.awaited, final.discriminator) == (False, (), "final")
    assert issued(later(kit, 9001), parts[0]) == []


def test_without_the_regime_service_the_rules_say_the_regime(kit, world_of):
    world = world_of(kit.lake)
    parts, panel = world.parts(), world.panel
    asyncio.run(send_all(Handlers(kit), [parts[0], *parts[2:]]))
    (out,) = issued(later(kit, 7200), parts[0])
    assert out.data.awaited == ("regime",)
    fear = np.full(len(panel.sessions), np.nan)
    rules = rule_labels(panel.sessions, panel.price, fear, load_market("zl").regime)
    assert {f.regime for f in out.data.forecasts.values()} == {CLASSES[rules[-1]]}
    assert (out.data.missing, len(out.data.forecasts)) == ({}, 2)


def test_a_service_that_was_away_takes_first_what_came_meanwhile(kit, world_of):
    parts = world_of(kit.lake).parts()
    asyncio.run(send_all(Handlers(kit), parts[:3]))
    with pytest.raises(NotYet) as found:
        issued(later(kit, 9000, ran=10), parts[0])
    assert found.value.delay_s == 20
    assert len(issued(later(kit, 9000, ran=30), parts[0])) == 1


def test_a_clock_that_is_set_back_puts_nothing_off_for_longer_than_the_deadline(kit, world_of):
    parts = world_of(kit.lake).parts()
    asyncio.run(send_all(Handlers(kit), parts[:3]))
    year = 400 * 86400
    with pytest.raises(NotYet) as found:
        issued(later(kit, -year), parts[0])
    assert found.value.delay_s == 1800
    with pytest.raises(NotYet) as found:
        issued(later(kit, 9000, ran=-year), parts[0])
    assert found.value.delay_s == 30


def test_a_clock_that_was_ahead_at_the_start_and_is_set_right_forgets_no_deadline(kit, world_of):
    parts = world_of(kit.lake).parts()
    asyncio.run(send_all(Handlers(kit), parts[:3]))
    right = kit.clock()
    times = iter([right + timedelta(days=400), right + timedelta(seconds=8000), right + timedelta(seconds=8030)])
    handlers = Handlers(replace(kit, clock=lambda: next(times)))
    with pytest.raises(NotYet):
        issued(handlers, parts[0])
    assert issued(handlers, parts[0])[0].data.provisional


def test_a_complete_run_needs_no_provisional_forecast(kit, small):
    asyncio.run(send_all(Handlers(kit), small.parts()))
    assert issued(later(kit, 7200), small.parts()[0]) == []
    assert issued(later(kit, 7200), DataExported(market="zl")) == []


def test_wiring(kit):
    service = build(kit)
    assert {s.event for s in service.subscriptions} == {DataExported, RegimeDetected, ModelTrained, ModelFailed}
    assert all(s.publishes == (ForecastReady,) for s in service.subscriptions)
