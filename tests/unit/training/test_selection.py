"""Which rows a model learns from: eras and regimes by hand, an era that has ended is fitted once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from cbi_common.catalogue.spec import ModelSpec, load_catalogue
from cbi_common.core.errors import DataError
from cbi_common.core.regime import Regime
from cbi_common.markets import load_market
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.eras import kish_effective_size
from cbi_common.timeseries.regimes import CLASSES, rule_labels
from cbi_common.training.selection import last_session, weigher

MARKET = load_market("zl")
FIRST, N = session_number(date(2016, 6, 1)), 1500


def rows(n: int = N) -> Dataset:
    rng = np.random.default_rng(1)
    sessions = np.arange(FIRST, FIRST + n)
    fear = 18 + 14 * (rng.random(n) > 0.8)
    return Dataset(
        sessions=sessions,
        dates=np.array([session_date(int(s)) for s in sessions], dtype="datetime64[D]"),
        price=40 * np.exp(np.cumsum(rng.normal(0, 0.012, n))),
        features=np.column_stack([rng.normal(size=n), fear]),
        names=("something", "vix_level"),
    )


def spec(**changes: object) -> ModelSpec:
    return load_catalogue().model("lgbm").model_copy(update=changes)


def test_without_a_choice_every_row_weighs_alike() -> None:
    assert (weigher(spec(), MARKET)(rows()) == 1.0).all()
    assert last_session(spec(), MARKET) is None


def test_an_era_alone() -> None:
    data = rows()
    chosen = spec(eras=("trade_war_2017_2019",))
    weights = weigher(chosen, MARKET)(data)
    inside = (data.dates >= np.datetime64("2017-01-01")) & (data.dates <= np.datetime64("2019-12-31"))
    assert (weights[inside] == 1.0).all()
    assert (weights[~inside] == 0.0).all()
    assert last_session(chosen, MARKET) == session_number(date(2019, 12, 31))
    assert last_session(spec(eras=("trump_2.0_2023_2025",)), MARKET) == session_number(date(2100, 12, 31))


@pytest.mark.parametrize("regime", list(Regime))
def test_a_regime_alone_as_the_rules_call_it_on_the_day(regime: Regime) -> None:
    data = rows()
    weights = weigher(spec(regime=regime), MARKET)(data)
    labels = rule_labels(data.sessions, data.price, data.features[:, 1], MARKET.regime)
    assert np.array_equal(weights > 0, labels == CLASSES.index(regime))
    assert weights[weights > 0].mean() == pytest.approx(1.0)
    # Later rows change no earlier label.
    cut = data.until(FIRST + 900)
    assert np.array_equal(weigher(spec(regime=regime), MARKET)(cut) > 0, (weights > 0)[: len(cut.sessions)])


def test_without_an_index_of_fear_volatility_decides() -> None:
    data = replace(rows(), names=("something", "other"))
    blind = rule_labels(data.sessions, data.price, np.full(N, np.nan), MARKET.regime)
    weights = weigher(spec(regime=Regime.NORMAL), MARKET)(data)
    assert np.array_equal(weights > 0, blind == CLASSES.index(Regime.NORMAL))


def test_era_weights_count_within_the_choice() -> None:
    data = rows()
    weights = weigher(spec(weights="plan", eras=("trade_war_2017_2019", "crisis_2020")), MARKET)(data)
    in_2018, in_2020 = (weights[np.argmax(data.dates >= np.datetime64(day))] for day in ("2018-06-01", "2020-06-01"))
    assert in_2018 / in_2020 == pytest.approx(1500 / 800)
    assert kish_effective_size(weights) < np.count_nonzero(weights)


def test_no_row_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="no row to learn from"):
        weigher(spec(eras=("crisis_2008",)), MARKET)(rows())
