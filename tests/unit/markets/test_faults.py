from datetime import date

import numpy as np
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets.simulation import Setting, simulate
from cbi_common.markets.simulation.faults import (
    AWAY,
    FAULTS,
    FROZEN,
    FROZEN_SERIES,
    PARTED,
    PARTED_SERIES,
    SHIFT,
    SHIFTED,
    SHIFTED_SERIES,
    TURMOIL,
    parse_faults,
)
from cbi_common.markets.simulation.history import draw
from cbi_common.markets.simulation.truth import reveal
from cbi_common.storage.simulated import SimulatedWarehouse

DAY = date(2022, 3, 1)
SEVERAL = ((FROZEN, DAY), (SHIFTED, date(2023, 1, 3)), (TURMOIL, date(2022, 9, 1)))


def moves(series, name):
    days, values = series[name]
    return days[1:] >= np.datetime64(DAY), np.diff(np.log(values))


@pytest.mark.parametrize("faults", [*(((name, DAY),) for name in FAULTS), SEVERAL])
def test_nothing_before_a_fault_differs_by_a_bit(faults) -> None:
    plain, faulty = simulate(1500, 4), simulate(1500, 4, faults=faults)
    changed = set()
    for name, (days, values) in plain.series.items():
        before = days < np.datetime64(DAY)
        assert np.array_equal(values[before], faulty.series[name][1][before]), name
        if not np.array_equal(values, faulty.series[name][1]):
            changed.add(name)
    assert changed


def test_a_frozen_feed_repeats_the_last_value_from_its_day_on() -> None:
    days, values = simulate(1500, 4, faults=((FROZEN, DAY),)).series[FROZEN_SERIES]
    still = days >= np.datetime64(DAY)
    assert set(values[still]) == {values[~still][-1]}


def test_a_shifted_series_moves_farther_and_a_parted_one_by_itself() -> None:
    later, real = moves(simulate(3000, 4, faults=((SHIFTED, DAY),)).series, SHIFTED_SERIES)
    assert np.std(real[later]) == pytest.approx(SHIFT * np.std(real[~later]), rel=0.1)
    series = simulate(3000, 4, faults=((PARTED, DAY),)).series
    later, beans = moves(series, PARTED_SERIES)
    _, oil = moves(series, "zl")
    assert np.corrcoef(oil[~later], beans[~later])[0, 1] > 0.4
    assert abs(np.corrcoef(oil[later], beans[later])[0, 1]) < 0.1


def test_a_turmoil_is_beyond_every_regime_and_the_truth_knows_of_it() -> None:
    setting = Setting(1500, 4, predictability=0.2, faults=((TURMOIL, DAY),))
    later, oil = moves(simulate(1500, 4, predictability=0.2, faults=setting.faults).series, "zl")
    assert np.std(oil[later]) * np.sqrt(252) > 0.9
    truth, plain = reveal(setting), reveal(Setting(1500, 4, predictability=0.2))
    before = truth.days < np.datetime64(DAY)
    assert np.array_equal(truth.regimes, plain.regimes)
    for name, expected in truth.expected.items():
        for horizon, values in expected.items():
            assert np.array_equal(values[before], plain.expected[name][horizon][before])
            assert np.isfinite(values).all()


def test_palm_that_breaks_away_rises_and_is_followed_no_more() -> None:
    plain = simulate(1500, 4, predictability=0.2).series
    away = simulate(1500, 4, predictability=0.2, faults=((AWAY, DAY),)).series
    days, palm = away["palm"]
    two_weeks = int(np.argmax(days >= np.datetime64(DAY))) + 9
    assert palm[two_weeks] / plain["palm"][1][two_weeks] == pytest.approx(np.exp(0.4), rel=0.15)
    later, gap = days >= np.datetime64(DAY), np.log(palm / away["zl"][1])
    ahead = np.log(away["zl"][1][5:] / away["zl"][1][:-5])
    assert np.corrcoef(gap[:-5][~later[:-5]], ahead[~later[:-5]])[0, 1] > 0.2
    assert np.corrcoef(gap[:-5][later[:-5]], ahead[later[:-5]])[0, 1] < 0.15


@pytest.mark.parametrize("fault", [FROZEN, SHIFTED, PARTED])
def test_the_truth_does_not_depend_on_faults_of_other_series(fault) -> None:
    plain, faulty = draw(Setting(1500, 4)), draw(Setting(1500, 4, faults=((fault, DAY),)))
    assert np.array_equal(plain.states, faulty.states)


def test_a_drift_and_a_turmoil_make_three_processes() -> None:
    parts = draw(Setting(1500, 4, drift_at=date(2023, 1, 3), faults=((TURMOIL, DAY),))).parts
    assert parts[0][0].start == 0
    assert len(parts) == 3
    assert parts[-1][0].stop == 1500


def test_the_fingerprint_tells_faults_apart_and_is_the_old_one_without() -> None:
    table = "forecasting_data_warehouse.vix_daily"
    found = [
        SimulatedWarehouse(f"simulated?sessions=600{rest}", seed=1).fingerprint(table)
        for rest in ("", "&faults=frozen_feed:2024-03-01", "&faults=frozen_feed:2024-03-04")
    ]
    assert len(set(found)) == 3


@pytest.mark.parametrize("text", ["", "quake:2020-03-02", "frozen_feed", "frozen_feed:soon"])
def test_a_fault_that_there_is_not_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"fault|isoformat"):
        parse_faults(text)
    with pytest.raises(UsageError, match="is no list of NAME:DATE"):
        SimulatedWarehouse(f"simulated?faults={text}", seed=1)


def test_a_fault_outside_the_days_is_refused() -> None:
    with pytest.raises(UsageError, match=r"frozen_feed 1999-01-04; ask for a day from"):
        Setting(600, 1, faults=((FROZEN, date(1999, 1, 4)),)).days()
