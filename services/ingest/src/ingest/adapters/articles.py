"""Articles of a warehouse, their scores in the lake, and a table that leads from a number back to its articles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.markets.news import NewsSpec
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table, table_bytes
from cbi_common.storage.warehouse import Warehouse
from ingest.adapters.finbert import FinBert
from ingest.adapters.finbert_folder import LABELS
from ingest.domain.news.articles import Article, Raw, misfits, read_articles

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NewsTables:
    """The market's tables of articles.

    Attributes
    ----------
    rows : table to its rows
    missing : table to the columns it was read without
    troubles : table that cannot be read to the reason
    """

    rows: dict[str, list[Raw]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


def read_news(market: Market, warehouse: Warehouse) -> NewsTables:
    """Read the market's tables of articles; one that is missing or damaged says so and stops nobody."""
    have, found = set(warehouse.tables()), NewsTables()
    for spec in market.news:
        if spec.table not in have:
            found.troubles[spec.table] = "missing_table: the warehouse has no such table"
            continue
        try:
            _read(warehouse, spec, found)
        except DataError as error:
            found.troubles[spec.table] = f"unreadable: {error.what}"
    return found


def _read(warehouse: Warehouse, spec: NewsSpec, found: NewsTables) -> None:
    schema = warehouse.schema(spec.table)
    wrong = misfits(schema, spec) if warehouse.rows(spec.table) else ("empty_table: the table has no rows",)
    if wrong:
        found.troubles[spec.table] = "; ".join(wrong)
        return
    there = tuple(name for name in spec.columns() if name in schema.names)
    found.rows[spec.table] = list(read_articles(warehouse.read(spec.table, there), spec))
    found.missing[spec.table] = [name for name in spec.columns() if name not in there]


def score_articles(lake: Lake, model: FinBert, articles: Sequence[Article]) -> Floats:
    """Return (n, 3) probabilities in the order of `LABELS`; only sessions with new texts reach the model.

    Parameters
    ----------
    lake : Lake
        Keeps the scores of each session's texts under a digest of them and of the model.
    model : FinBert
    articles : sequence of n Article, ascending by session
    """
    scores: list[list[float]] = []
    for _, group in groupby(articles, key=lambda article: article.session):
        of_session = list(group)
        known = _scores(lake, model, {article.sha256: article.text for article in of_session})
        scores += [known[article.sha256] for article in of_session]
    return np.array(scores, dtype=np.float64).reshape(-1, len(LABELS))


def put_articles(lake: Lake, model: FinBert, articles: Sequence[Article], scores: Floats) -> LakeRef:
    """Store which articles each session's numbers were made of.

    Returns
    -------
    LakeRef
        Parquet with a row per article, ascending by session: session, known_from, table, article_id, source, published,
        loaded, title, sha256 of the text, topics, fingerprint of the model, the three probabilities and ``net``.
    """
    raws = [article.raw for article in articles]
    columns: dict[str, pa.Array[Any]] = {
        "session": pa.array([article.session for article in articles], pa.int64()),
        "known_from": pa.array([article.known_from for article in articles], pa.date32()),
        "table": pa.array([raw.table for raw in raws], pa.string()),
        "article_id": pa.array([raw.id for raw in raws], pa.string()),
        "source": pa.array([raw.source for raw in raws], pa.string()),
        "published": pa.array([raw.published for raw in raws], pa.timestamp("us", "UTC")),
        "loaded": pa.array([raw.loaded for raw in raws], pa.timestamp("us", "UTC")),
        "title": pa.array([raw.title for raw in raws], pa.string()),
        "sha256": pa.array([article.sha256 for article in articles], pa.string()),
        "topics": pa.array([" ".join(article.topics) for article in articles], pa.string()),
        "model": pa.array([model.fingerprint] * len(articles), pa.string()),
        **{label: pa.array(scores[:, column]) for column, label in enumerate(LABELS)},
        "net": pa.array(net(scores)),
    }
    table = pa.table(columns)
    return put_table(lake, f"news/{sha256_hex(table_bytes(table))}", table)


def net(scores: Floats) -> Floats:
    """Return (n,) positive less negative."""
    difference: Floats = scores[:, LABELS.index("positive")] - scores[:, LABELS.index("negative")]
    return difference


def _scores(lake: Lake, model: FinBert, texts: dict[str, str]) -> dict[str, list[float]]:
    key = f"sentiment/{digest(model.fingerprint, sorted(texts))}"
    ref = None if lake.get_if_intact(key) is None else lake.find(key)
    if ref is None:
        scored = model.score(list(texts.values()))
        ref = lake.put_json(key, dict(zip(texts, scored.tolist(), strict=True)))
    found: dict[str, list[float]] = lake.get_json(ref)
    return found
