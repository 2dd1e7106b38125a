from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.markets import load_market
from cbi_common.markets.simulation import Setting, rolling
from cbi_common.markets.simulation.articles import NEWS_TABLE
from cbi_common.markets.simulation.tables import Tables
from cbi_common.markets.simulation.training_tables import PRODUCTION, TRUMP_RICH, WIDE_TABLES

SHARED = "zl_price_current"


@pytest.fixture(scope="module")
def made() -> Mapping[str, pa.Table]:
    tables = Tables(Setting(900, 4))
    return {name: tables.make(name) for name in tables.names}


def numbers(table: pa.Table) -> dict[str, np.ndarray]:
    kinds = {name: table.schema.field(name).type for name in table.column_names}
    return {n: table[n].to_numpy().astype(float) for n, k in kinds.items() if k in (pa.float64(), pa.int64())}


@pytest.mark.parametrize("name", PRODUCTION)
def test_a_production_table_has_about_290_columns_and_no_flaw_of_whole_columns(made, name: str) -> None:
    table = made[name]
    assert table.num_rows == 900
    assert 280 <= table.num_columns <= 340
    found = numbers(table)
    assert len(found) == table.num_columns - 1
    seen: dict[bytes, str] = {}
    for column, values in found.items():
        known = values[~np.isnan(values)]
        assert len(known) > 600, column
        assert np.isfinite(known).all(), column
        assert len(np.unique(known)) > 1, column
        assert seen.setdefault(values.tobytes(), column) == column


@pytest.mark.parametrize(("name", "horizon"), PRODUCTION.items())
def test_a_target_is_the_later_price_and_unknown_until_then(made, name: str, horizon: Horizon) -> None:
    table = made[name]
    price, target = table[SHARED].to_numpy(), table[f"target_{horizon}"].to_numpy()
    assert [column for column in table.column_names if column.startswith("target_")] == [f"target_{horizon}"]
    assert np.isnan(target[-horizon.sessions :]).all()
    later = price[horizon.sessions :]
    unit = next(d.targets[horizon] for d in load_market("zl").datasets if d.table == name)
    expected = later if unit == "price" else later / price[: -horizon.sessions] - 1
    assert np.allclose(target[: -horizon.sessions], expected, atol=1e-6)


def test_trump_rich_begins_in_2023_and_matures(made) -> None:
    table = made[TRUMP_RICH]
    assert table["date"][0].as_py().isoformat() == "2023-01-03"
    assert table.num_columns == 58
    price, target = table["zl_f_close"].to_numpy(), table["target_1m"].to_numpy()
    assert np.array_equal(target[:-21], price[21:])
    assert np.isnan(target[-21:]).all()


def test_a_wide_table_repeats_the_series_it_was_made_from_as_they_were_known(made) -> None:
    wide = made["models_v4.production_training_data_1m"]
    prices = made["yahoo_finance_comprehensive.biofuel_components_canonical"]
    assert np.array_equal(wide[SHARED].to_numpy(), prices["soybean_oil_price_cwt"].to_numpy())
    assert np.array_equal(wide["palm_price"].to_numpy(), made["forecasting_data_warehouse.palm_oil_prices"]["close"])
    positions = made["forecasting_data_warehouse.cftc_cot"]
    first = positions["report_date"][3].as_py()
    row = wide["date"].to_pylist().index(first)
    lag = load_market("zl").by_name["commercial_net"].release_lag_sessions
    assert wide["cftc_commercial_net"][row + lag].as_py() == positions["commercial_net"][3].as_py()
    assert wide["cftc_commercial_net"][row + 3].as_py() == positions["commercial_net"][2].as_py()


def test_a_longer_history_ends_in_columns_of_the_same_names() -> None:
    short, long = (
        set(Tables(Setting(n, 4)).make("models_v4.production_training_data_1w").column_names) for n in (300, 900)
    )
    assert short == long


def test_the_news_carry_the_mood_of_the_day_and_no_text_comes_twice(made) -> None:
    news = made[NEWS_TABLE].to_pylist()
    assert len(news) > 200
    assert len({article["title"] for article in news}) == len(news)
    assert all(article["content_length"] == len(article["full_content"]) for article in news)
    by_day = dict(
        zip(made[WIDE_TABLES[0]]["date"].to_pylist(), made[WIDE_TABLES[0]]["avg_sentiment"].to_pylist(), strict=True)
    )
    gains = [by_day[a["published_date"].date()] for a in news if "gains" in a["title"]]
    slides = [by_day[a["published_date"].date()] for a in news if "slides" in a["title"]]
    assert min(gains) > 0 > max(slides)


@pytest.mark.parametrize("window", [2, 5, 21])
def test_rolling_statistics_equal_naive_ones(window: int) -> None:
    rng = np.random.default_rng(window)
    one, other = 100 + np.cumsum(rng.standard_normal((2, 60)), axis=1)
    one[0] = np.nan
    for t in range(1, 60):
        part, beside = one[t - window + 1 : t + 1], other[t - window + 1 : t + 1]
        if t < window:
            assert np.isnan(rolling.mean(one, window)[t])
            continue
        assert rolling.mean(one, window)[t] == pytest.approx(part.mean())
        assert rolling.deviation(one, window)[t] == pytest.approx(part.std(), abs=1e-9)
        assert rolling.correlation(one, other, window)[t] == pytest.approx(np.corrcoef(part, beside)[0, 1], abs=1e-6)
    assert rolling.change(one, 3)[10] == pytest.approx(one[10] / one[7] - 1)
    index = rolling.rsi(other, window)
    moves = np.diff(other)[40 - window : 40]
    assert index[40] == pytest.approx(100 * moves[moves > 0].sum() / np.abs(moves).sum())


def test_an_exponential_mean_equals_the_recursion() -> None:
    values, expected = np.array([3.0, 5.0, 4.0, 9.0]), [3.0]
    for value in values[1:]:
        expected.append(expected[-1] + 0.5 * (value - expected[-1]))
    assert rolling.smooth(values, 3) == pytest.approx(expected)
