"""Every feature of the market file: made of what was known, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets import Market
from cbi_common.markets.spec import FeatureSpec
from ingest.domain.features import compute_features, lost_features
from ingest.domain.panel import Panel


@pytest.fixture
def panel(long_panel: Panel) -> Panel:
    return long_panel


def test_every_feature_is_known_finite_and_moves(market: Market, panel: Panel) -> None:
    features = compute_features(market, panel)
    assert list(features) == [f.name for f in market.features if market.news_series.isdisjoint(f.inputs)]
    for name, values in features.items():
        known = values[~np.isnan(values)]
        assert len(known) > 500, name
        assert np.isfinite(known).all(), name
        assert np.ptp(known) > 0, name


def test_a_lost_series_takes_its_features_along(market: Market, panel: Panel) -> None:
    without = replace(panel, series={n: v for n, v in panel.series.items() if n != "palm"})
    gone = set(compute_features(market, panel)) - set(compute_features(market, without))
    assert gone == {f.name for f in market.features if "palm" in f.inputs} != set()
    assert lost_features(market, {"palm": "why"}) == dict.fromkeys(gone, "why")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": "magic"}, "no kind 'magic'"),
        ({"params": {"days": 3}}, "days"),
        ({"inputs": ("zl", "zs")}, "log_return"),
        ({"kind": "time_of_year", "inputs": (), "params": {"first": (5,), "last": (9, 15)}}, "time_of_year"),
    ],
)
def test_a_feature_that_cannot_be_made_is_a_usage_error(
    market: Market, panel: Panel, changed: dict[str, object], says: str
) -> None:
    good = market.features[0]
    assert good.kind == "log_return"
    wrong = FeatureSpec.model_validate({**good.model_dump(), **changed})
    with pytest.raises(UsageError, match="zl_return_1") as caught:
        compute_features(market.model_copy(update={"features": (wrong,)}), panel)
    assert says in caught.value.line()
