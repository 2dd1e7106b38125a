"""Every feature of the market file: made of what was known, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets import Market
from cbi_common.markets.spec import FeatureSpec
from ingest.domain.features import compute_features, lost_features
from ingest.domain.gate import examine
from ingest.domain.kinds import CALENDAR_KINDS, KINDS
from ingest.domain.panel import Panel, build_panel
from ingest.domain.tables import Source


@pytest.fixture(scope="module")
def panel(market: Market, clean: dict[str, Source]) -> Panel:
    return build_panel(market, examine(market, clean, None).series)


def cut(panel: Panel, rows: int) -> Panel:
    return Panel(
        panel.sessions[:rows].copy(),
        panel.dates[:rows].copy(),
        panel.price[:rows].copy(),
        {name: values[:rows].copy() for name, values in panel.series.items()},
    )


def test_every_kind_is_used_and_every_kind_used_exists(market: Market) -> None:
    used = {feature.kind for feature in market.features}
    assert used == KINDS.keys() | CALENDAR_KINDS.keys()


def test_every_feature_is_known_finite_and_moves(market: Market, panel: Panel) -> None:
    features = compute_features(market, panel)
    assert list(features) == [feature.name for feature in market.features]
    for name, values in features.items():
        known = values[~np.isnan(values)]
        assert len(known) > 600, name
        assert np.isfinite(known).all(), name
        assert np.ptp(known) > 0, name


# All remainders of eight: vectorised loops treat the last rows of an array differently.
@pytest.mark.parametrize("rows", [*range(640, 648), 252, 253, 899])
def test_features_of_data_cut_at_t_are_bit_identical_to_those_of_all_data(
    market: Market, panel: Panel, rows: int
) -> None:
    whole, early = compute_features(market, panel), compute_features(market, cut(panel, rows))
    for name, values in early.items():
        assert values.tobytes() == whole[name][:rows].tobytes(), name


def test_a_feature_that_looks_ahead_would_be_found(
    market: Market, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ingest.domain.features as module

    centred = {**KINDS, "ma_ratio": lambda x, window: np.log(x / np.convolve(x, np.ones(window) / window, mode="same"))}
    monkeypatch.setattr(module, "KINDS", centred)
    whole, early = compute_features(market, panel), compute_features(market, cut(panel, 640))
    assert any(values.tobytes() != whole[name][:640].tobytes() for name, values in early.items())


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
