import numpy as np
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets import load_market
from cbi_common.markets.simulation import LAST_DAY, STATES, simulate


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
        spec = market.by_name[name]
        assert np.isfinite(values).all()
        assert spec.above is None or values.min() > spec.above, name
        assert spec.below is None or values.max() < spec.below, name
        assert (np.diff(days) > np.timedelta64(0)).all()
    assert simulated.dates[-1] == np.datetime64(LAST_DAY)
    assert len(simulated.dates) == 6300


def test_no_change_is_as_hard_to_beat_as_on_the_real_market() -> None:
    errors = []
    for seed in range(6):
        price = simulate(6300, seed).series["zl"][1]
        errors.append(np.mean(np.abs(price[:-5] / price[5:] - 1)))
    assert 0.022 < np.mean(errors) < 0.035


def test_regimes_visit_all_states_and_move_volatility_and_vix() -> None:
    simulated = simulate(20_000, 1)
    share = np.bincount(simulated.regimes, minlength=len(STATES)) / 20_000
    assert (share > 0.04).all()
    moves = np.diff(np.log(simulated.series["zl"][1]), prepend=np.nan)
    vix = simulated.series["vix"][1]
    for i, state in enumerate(STATES.values()):
        inside = (simulated.regimes == i) & ~np.isnan(moves)
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


def test_the_longest_market_fits_the_calendar() -> None:
    assert simulate(31_500, 1).dates[0] < np.datetime64("1903-01-01")
