"""What a market file may say of its news."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cbi_common.core.horizon import Horizon
from cbi_common.markets import Market, load_market
from cbi_common.markets.news import NewsSpec, SentimentSpec


def zl(**changes: object) -> Market:
    raw = load_market("zl").model_dump(mode="json")
    return Market.model_validate({**raw, **changes})


def test_soybean_oil_reads_articles_and_names_a_feature_of_every_series() -> None:
    market = load_market("zl")
    assert {spec.table.partition(".")[2] for spec in market.news} == {
        "news_advanced",
        "news_ultra_aggressive",
        "breaking_news_hourly",
        "trump_policy_intelligence",
    }
    used = {name for feature in market.features for name in feature.inputs}
    assert market.news_series <= used
    assert not market.news_series & set(market.by_name)


def test_a_market_without_news_is_a_market() -> None:
    assert load_market("wti").news_series == frozenset()


def test_models_see_nothing_of_the_news_before_the_market_file_says_so() -> None:
    market = load_market("zl")
    names = {feature.name for feature in market.features if market.news_series & set(feature.inputs)}
    assert names <= market.withheld_from(list(Horizon))
    assert market.sentiment is not None
    trusted = zl(sentiment={**market.sentiment.model_dump(mode="json"), "models": True})
    assert not names & trusted.withheld_from(list(Horizon))
    assert "news_sentiment" in trusted.withheld_from([Horizon("6m")])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"news": ()}, "declare both or neither"),
        ({"sentiment": None}, "no series 'news_sentiment'"),
        ({"sentiment": {"topics": {}}}, "at least 1"),
        ({"sentiment": {"topics": {"soy": ["soy bean"]}}}, "no series 'news_mood_palm'"),
        ({"news": [load_market("zl").news[0].model_dump()] * 2}, "two news entries"),
    ],
)
def test_what_leads_nowhere_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        zl(**changes)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"published": "day"}, "name a title or a text"),
        ({"title": "title"}, "dated by 'published'"),
        ({"title": "title", "published": "day", "dated": "loaded"}, "dated by 'loaded'"),
    ],
)
def test_a_table_of_articles_can_be_read_and_dated(fields: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        NewsSpec.model_validate({"table": "shop.news", **fields})


def test_series_hold_for_a_session_and_moods_for_longer() -> None:
    spec = SentimentSpec(topics={"palm": ("Palm Oil",)}, staleness_sessions=7)
    assert spec.topics == {"palm": ("palm oil",)}
    assert dict(spec.series()) == {
        "news_sentiment": 0,
        "news_count": 0,
        "news_dispersion": 0,
        "news_mood": 7,
        "news_mood_palm": 7,
    }
