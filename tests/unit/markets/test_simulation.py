import numpy as np
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets import load_market, spec
from cbi_common.markets.simulation import LAST_DAY, STATES, Setting, simulate
from cbi_common.markets.simulation.history import draw


def test_equal_arguments_give_equal_bits_and_another_seed_another_market() -> None:
    one, two, other = simulate(600, 3), simulate(600, 3), simulate(600, 4)
    assert one.series.keys() == two.series.keys()
    assert all(np.array_equal(one.series[name][1], two.series[name][1]) for name in one.series)
    assert not np.array_equal(one.series["zl"][1], other.series["zl"][1])


@pytest.mark.parametrize("seed", range(8))
def test_every_series_of_the_market_exists_within_its_range(seed: int) -> None:
    market, simulated = load_market("zl"), simulate(6300, seed)
    assert simulated.series.keys() == market.by_name.keys()
    for name, (days, values) in simulated.series.items():
        series = market.by_name[name]
        assert np.isfinite(values).all()
        assert series.above is None or values.min() > series.above, name
        assert series.below is None or values.max() < series.below, name
        assert (np.diff(days) > np.timedelta64(0)).all()
    assert simulated.dates[-1] == np.datetime64(LAST_DAY)
    assert len(simulated.dates) == 6300


def test_a_series_added_to_the_market_file_gets_a_process_and_changes_no_other(monkeypatch) -> None:
    market = load_market("zl")
    new = spec.SeriesSpec(
        name="rin", table="shop.rin", date="date", value="d4", unit="$", above=0.1, below=4, staleness_sessions=5
    )
    weekly = new.model_copy(update={"name": "sales", "above": 0.0, "below": None, "frequency": "week"})
    jumpy = new.model_copy(update={"name": "peg", "above": 3.0, "below": 4.0, "max_move": 0.01})
    larger = market.model_copy(update={"series": (new, *market.series, weekly, jumpy)})
    before = simulate(600, 3).series
    monkeypatch.setattr("cbi_common.markets.simulation.series.load_market", lambda _: larger)
    after = simulate(600, 3).series
    assert set(after) - set(before) == {"rin", "sales", "peg"}
    assert all(np.array_equal(before[name][1], after[name][1]) for name in before)
    assert after["rin"][1].min() > 0.1
    assert after["rin"][1].max() < 4
    assert {day.item().weekday() for day in after["sales"][0]} == {1}
    assert np.abs(np.diff(np.log(after["peg"][1]))).max() <= 0.01


def test_no_change_is_as_hard_to_beat_as_on_the_real_market() -> None:
    errors = []
    for seed in range(6):
        price = simulate(6300, seed).series["zl"][1]
        errors.append(np.mean(np.abs(price[:-5] / price[5:] - 1)))
    assert 0.022 < np.mean(errors) < 0.035


def test_regimes_visit_all_states_and_move_volatility_and_vix() -> None:
    setting = Setting(20_000, 1)
    regimes, series = draw(setting).regimes, simulate(20_000, 1).series
    share = np.bincount(regimes, minlength=len(STATES)) / 20_000
    assert (share > 0.04).all()
    moves = np.diff(np.log(series["zl"][1]), prepend=np.nan)
    vix = series["vix"][1]
    for i, state in enumerate(STATES.values()):
        inside = (regimes == i) & ~np.isnan(moves)
        assert np.std(moves[inside]) * np.sqrt(252) == pytest.approx(state.volatility, rel=0.12)
        assert np.median(vix[inside]) == pytest.approx(state.vix, rel=0.2)


def test_palm_tells_the_next_price_only_as_far_as_it_is_told_to() -> None:
    def link(predictability: float) -> float:
        found = []
        for seed in range(5):
            series = simulate(6300, seed, predictability=predictability).series
            gap = np.log(series["palm"][1]) - np.log(series["zl"][1])
            price = np.log(series["zl"][1])
            found.append(np.corrcoef(gap[:-21], price[21:] - price[:-21])[0, 1])
        return float(np.mean(found))

    assert abs(link(0.0)) < 0.12
    assert link(0.1) > 0.2


def test_after_a_drift_palm_no_longer_moves_with_the_price_and_nothing_before_it_differs() -> None:
    change = LAST_DAY.replace(year=2015)
    plain, drifted = simulate(6300, 1), simulate(6300, 1, drift_at=change)
    later = plain.dates >= np.datetime64(change)
    for name in plain.series:
        days, values = drifted.series[name]
        before = days < np.datetime64(change)
        assert np.array_equal(values[before], plain.series[name][1][before]), name
    zl, palm = (np.diff(np.log(drifted.series[name][1]), prepend=np.nan) for name in ("zl", "palm"))
    linked, broken = (np.corrcoef(zl[part][1:], palm[part][1:])[0, 1] for part in (~later, later))
    assert linked > 0.4
    assert abs(broken) < 0.2


def test_bars_hold_their_order_and_positions_come_on_tuesdays() -> None:
    series = simulate(3000, 2).series
    opened, high, low, close = (series[name][1] for name in ("zl_open", "zl_high", "zl_low", "zl"))
    assert (high >= np.maximum(opened, close)).all()
    assert (low <= np.minimum(opened, close)).all()
    days = series["open_interest"][0]
    assert {day.item().weekday() for day in days} == {1}


@pytest.mark.parametrize(("sessions", "predictability"), [(299, 0.0), (31_501, 0.0), (600, -0.1), (600, 0.5)])
def test_arguments_out_of_range_are_refused(sessions: int, predictability: float) -> None:
    with pytest.raises(UsageError, match="simulated market"):
        simulate(sessions, 1, predictability=predictability)


@pytest.mark.parametrize("day", [LAST_DAY.replace(year=2026), LAST_DAY.replace(year=1999)])
def test_a_drift_outside_the_days_is_refused(day) -> None:
    with pytest.raises(UsageError, match=r"drift_at .* ask for a day from"):
        simulate(600, 1, drift_at=day)


def test_the_longest_market_fits_the_calendar() -> None:
    assert simulate(31_500, 1).dates[0] < np.datetime64("1903-01-01")
