"""What the articles of a session say: series for the panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cbi_common.markets.news import COUNT, DISPERSION, MOOD, SENTIMENT, SentimentSpec, mood_of
from cbi_common.timeseries.calendar import session_date
from ingest.domain.news.articles import Article
from ingest.domain.rows import Rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def sentiment_rows(articles: Sequence[Article], net: Floats, spec: SentimentSpec) -> dict[str, Rows]:
    """Return the series of the news; a session without an article has no row, never a zero.

    Parameters
    ----------
    articles : sequence of n Article, ascending by session
    net : (n,) float64 in [-1, 1]
        Probability of positive less probability of negative.
    spec : SentimentSpec

    Returns
    -------
    name to Rows
        ``news_sentiment`` mean of the session in [-1, 1], ``news_count``, ``news_dispersion`` standard deviation where
        there are two articles or more, ``news_mood`` and ``news_mood_TOPIC`` means of all articles so far that fade
        with a half-life. A series without any row is left out.
    """
    sessions = np.array([article.session for article in articles], dtype=np.int64)
    days, where = np.unique(sessions, return_inverse=True)
    count = np.bincount(where, minlength=len(days)).astype(np.float64)
    mean = np.bincount(where, weights=net, minlength=len(days)) / count
    spread = np.sqrt(np.bincount(where, weights=(net - mean[where]) ** 2, minlength=len(days)) / count)
    found = {
        SENTIMENT: (days, mean),
        COUNT: (days, count),
        DISPERSION: (days[count > 1], spread[count > 1]),
        MOOD: fading_mean(sessions, net, spec.half_life_sessions),
    }
    for topic in spec.topics:
        about = np.array([topic in article.topics for article in articles], dtype=bool)
        found[mood_of(topic)] = fading_mean(sessions[about], net[about], spec.half_life_sessions)
    return {name: _rows(name, at, values) for name, (at, values) in found.items() if len(at)}


def fading_mean(sessions: Ints, values: Floats, half_life: float) -> tuple[Ints, Floats]:
    """Return each session that occurs, ascending, and the weighted mean of all values up to it.

    A value of ``k`` sessions ago has the weight ``0.5 ** (k / half_life)``.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    values : (n,) float64
    half_life : float > 0
        In sessions.

    >>> fading_mean(np.array([0, 5]), np.array([1.0, -1.0]), 5.0)[1].round(3).tolist()
    [1.0, -0.333]
    """
    days = np.unique(sessions)
    means = np.empty(len(days))
    total = weight = 0.0
    before = days[0] if len(days) else 0
    for row, day in enumerate(days):
        fade = 0.5 ** ((day - before) / half_life)
        new = values[np.searchsorted(sessions, day, "left") : np.searchsorted(sessions, day, "right")]
        total, weight, before = total * fade + new.sum(), weight * fade + len(new), day
        means[row] = total / weight
    return days, means


def _rows(name: str, sessions: Ints, values: Floats) -> Rows:
    days = np.array([session_date(int(session)) for session in sessions], dtype="datetime64[D]")
    some = np.ones(len(sessions), dtype=bool)
    return Rows(name, days, sessions, some, np.zeros(len(sessions), dtype=np.int64), values)
