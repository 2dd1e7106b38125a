"""Series of the news against loops, and against the same articles cut at a day."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.markets.news import SentimentSpec
from cbi_common.timeseries.calendar import session_date
from ingest.domain.news.articles import Article, Raw
from ingest.domain.news.sentiment import fading_mean, sentiment_rows

SPEC = SentimentSpec(topics={"soy": ("soy",), "palm": ("palm oil",)}, half_life_sessions=3)

ARTICLES = st.lists(
    st.tuples(st.integers(0, 40), st.floats(-1, 1), st.sampled_from([("soy",), ("palm",), ("soy", "palm")])),
    min_size=1,
    max_size=40,
).map(lambda found: sorted(found, key=lambda article: article[0]))


def made(found: list[tuple[int, float, tuple[str, ...]]]) -> tuple[list[Article], np.ndarray]:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    raw = Raw("shop.news", "", "", when, None, when, "", ())
    articles = [
        Article(raw, 6000 + session, str(place), "", topics) for place, (session, _, topics) in enumerate(found)
    ]
    return articles, np.array([net for _, net, _ in found])


@given(ARTICLES)
def test_series_are_those_of_a_loop(found: list[tuple[int, float, tuple[str, ...]]]) -> None:
    articles, net = made(found)
    rows = sentiment_rows(articles, net, SPEC)
    for place, session in enumerate(rows["news_count"].sessions):
        today = [n for article, n in zip(articles, net, strict=True) if article.session == session]
        assert rows["news_count"].values[place] == len(today) > 0
        assert rows["news_sentiment"].values[place] == pytest.approx(np.mean(today))
        spread = (
            dict(zip(rows["news_dispersion"].sessions, rows["news_dispersion"].values, strict=True))
            if ("news_dispersion" in rows)
            else {}
        )
        assert (session in spread) == (len(today) > 1)
        assert spread.get(session, np.std(today)) == pytest.approx(np.std(today), abs=1e-12)
    for name, about in (("news_mood", None), ("news_mood_soy", "soy"), ("news_mood_palm", "palm")):
        chosen = [(a.session, n) for a, n in zip(articles, net, strict=True) if about is None or about in a.topics]
        assert (name in rows) == bool(chosen)
        for place, session in enumerate(rows[name].sessions if chosen else []):
            weights = [(0.5 ** ((session - s) / 3), n) for s, n in chosen if s <= session]
            expected = sum(w * n for w, n in weights) / sum(w for w, _ in weights)
            assert rows[name].values[place] == pytest.approx(expected, abs=1e-9)


@given(ARTICLES, st.integers(0, 40))
def test_cutting_the_articles_changes_nothing_before(
    found: list[tuple[int, float, tuple[str, ...]]], last: int
) -> None:
    articles, net = made(found)
    early = np.array([article.session <= 6000 + last for article in articles])
    whole = sentiment_rows(articles, net, SPEC)
    cut = sentiment_rows([a for a, e in zip(articles, early, strict=True) if e], net[early], SPEC)
    for name, rows in whole.items():
        before = rows.take(rows.sessions <= 6000 + last)
        assert (name in cut) == bool(len(before))
        if name in cut:
            assert cut[name].sessions.tolist() == before.sessions.tolist()
            assert cut[name].values.tolist() == before.values.tolist()


def test_rows_stand_on_their_sessions() -> None:
    articles, net = made([(0, 0.5, ("soy",)), (0, -0.5, ("soy",)), (7, 1.0, ("soy",))])
    rows = sentiment_rows(articles, net, SPEC)
    assert "news_mood_palm" not in rows
    assert rows["news_sentiment"].values.tolist() == [0.0, 1.0]
    assert rows["news_sentiment"].days.tolist() == [session_date(6000), session_date(6007)]
    assert rows["news_dispersion"].sessions.tolist() == [6000]
    assert rows["news_sentiment"].on_session.all()


def test_an_old_article_counts_half_after_the_half_life() -> None:
    sessions, means = fading_mean(np.array([10, 16]), np.array([1.0, 0.0]), half_life=6.0)
    assert sessions.tolist() == [10, 16]
    assert means.tolist() == [1.0, pytest.approx(1 / 3)]
    assert fading_mean(np.empty(0, dtype=np.int64), np.empty(0), 6.0)[1].tolist() == []
