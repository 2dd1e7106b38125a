"""The news of a market as series, with what was read, left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cbi_common.events.base import LakeRef
from cbi_common.markets.news import COUNT, MOOD, SENTIMENT, SentimentSpec
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.warehouse import Warehouse
from cbi_common.timeseries.panel import as_known
from ingest.adapters.articles import NewsTables, net, put_articles, read_news, score_articles
from ingest.adapters.finbert import FinBert
from ingest.adapters.sources import fingerprints
from ingest.domain.news import cleaning
from ingest.domain.news.articles import Article
from ingest.domain.news.cleaning import Counts, choose
from ingest.domain.news.sentiment import sentiment_rows
from ingest.domain.panel import Panel
from ingest.domain.rows import Rows

NO_WEIGHTS = "no FinBERT weights on this machine: set CBI_FINBERT to the model's folder"


@dataclass(frozen=True)
class Survey:
    """The articles of a warehouse before anybody has scored them.

    Attributes
    ----------
    articles : list of Article, as they came out
    counts : table to what became of its rows
    tables : NewsTables
    """

    articles: list[Article]
    counts: dict[str, Counts]
    tables: NewsTables


@dataclass(frozen=True)
class News:
    """Series of the news.

    Attributes
    ----------
    series : name to its rows
    lost : name of a series that does not exist to the reason
    absent : str or None
        Why there is no sentiment at all.
    articles : LakeRef or None
        The articles behind every number.
    report : dict
        What `cbi news` shows, as JSON values.
    """

    series: dict[str, Rows] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    absent: str | None = None
    articles: LakeRef | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def joined(self, panel: Panel, spec: SentimentSpec | None) -> Panel:
        """Return the panel with the series of the news as they were known at each close."""
        if spec is None:
            return panel
        known = {
            name: as_known(
                panel.sessions,
                self.series[name].sessions,
                self.series[name].values,
                release_lag_sessions=0,
                staleness_sessions=holds,
            )
            for name, holds in spec.series()
            if name in self.series
        }
        return replace(panel, series={**panel.series, **known})


def identity(market: Market, warehouse: Warehouse, model: FinBert | None) -> list[Any]:
    """Return what decides the series of the news: without weights nothing does."""
    if model is None or market.sentiment is None:
        return []
    return [cleaning.VERSION, model.fingerprint, fingerprints(warehouse, [spec.table for spec in market.news])]


def gather(lake: Lake, market: Market, warehouse: Warehouse, as_of_session: int, model: FinBert | None) -> News:
    """Return the news that sessions up to ``as_of_session`` may know; without weights no article is read."""
    if market.sentiment is None:
        return News()
    if model is None:
        return _absent(market.sentiment, NO_WEIGHTS, {"model": None})
    return weigh(lake, market.sentiment, survey(market, warehouse, as_of_session), model)


def survey(market: Market, warehouse: Warehouse, as_of_session: int) -> Survey:
    """Read and clean the articles of a market that has news."""
    assert market.sentiment is not None
    tables = read_news(market, warehouse)
    return Survey(*choose(tables.rows, market.sentiment, as_of_session), tables)


def weigh(lake: Lake, spec: SentimentSpec, found: Survey, model: FinBert | None) -> News:
    """Score the articles and make the series."""
    report = {
        "model": None if model is None else {"name": model.name, "fingerprint": model.fingerprint},
        **_read(found, spec),
    }
    if model is None:
        return _absent(spec, NO_WEIGHTS, report)
    if not found.articles:
        return _absent(spec, _nothing(found), report)
    scores = score_articles(lake, model, found.articles)
    series = sentiment_rows(found.articles, net(scores), spec)
    lost = {name: "no article says anything of it" for name, _ in spec.series() if name not in series}
    latest = _latest(found.articles, series)
    return News(series, lost, None, put_articles(lake, model, found.articles, scores), {**report, "latest": latest})


def _absent(spec: SentimentSpec, reason: str, report: dict[str, Any]) -> News:
    lost = {name: reason for name, _ in spec.series()}
    return News(lost=lost, absent=reason, report={**report, "absent": reason})


def _nothing(found: Survey) -> str:
    if not found.counts:
        return "no table of articles can be read: " + "; ".join(f"{t}: {w}" for t, w in found.tables.troubles.items())
    read, later = (sum(getattr(counts, name) for counts in found.counts.values()) for name in ("read", "later"))
    return f"none of {read:,} articles by as_of can be used, {later:,} came later"


def _read(found: Survey, spec: SentimentSpec) -> dict[str, Any]:
    articles = found.articles
    topics = Counter(topic for article in articles for topic in article.topics)
    return {
        "tables": {
            **{
                table: {**counts.report(), "missing": found.tables.missing[table]}
                for table, counts in found.counts.items()
            },
            **{table: {"trouble": why} for table, why in found.tables.troubles.items()},
        },
        "articles": len(articles),
        "sessions": len({article.session for article in articles}),
        "first": articles[0].known_from.isoformat() if articles else None,
        "last": articles[-1].known_from.isoformat() if articles else None,
        "topics": {topic: topics[topic] for topic in spec.topics},
    }


def _latest(articles: Sequence[Article], series: dict[str, Rows]) -> dict[str, Any]:
    last = articles[-1]
    at_last = {name: float(rows.values[-1]) for name, rows in series.items() if rows.sessions[-1] == last.session}
    titles = [article.raw.title for article in articles if article.session == last.session]
    return {
        "session": last.known_from.isoformat(),
        "titles": titles[:5],
        "sentiment": at_last[SENTIMENT],
        "count": int(at_last[COUNT]),
        "mood": at_last[MOOD],
        "moods": {n.removeprefix(f"{MOOD}_"): v for n, v in sorted(at_last.items()) if n.startswith(f"{MOOD}_")},
    }
