"""Articles of a table: what each says, and the first session that may know it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from cbi_common.markets.news import NewsSpec
from cbi_common.timeseries.calendar import FIRST_DAY, LAST_DAY, session_date, session_number
from ingest.domain.news.text import MOST_RAW

Reason = Literal[
    "no_date",
    "published_after_load",
    "no_text",
    "injection",
    "language",
    "off_topic",
    "duplicate",
    "near_duplicate",
]
"""Why an article is left out, in the order in which it is asked."""

_BATCH = 1_000
"""Rows that are Python objects at a time."""

_CLOCKS_DIFFER = timedelta(days=1)
"""How much later than loaded an article may claim to be published: feeds give local times without a zone."""


@dataclass(frozen=True)
class Raw:
    """A row of a table, as it is.

    Attributes
    ----------
    table, source, id : str
    published, loaded : datetime or None
        In UTC.
    known : datetime or None
        The one of the two that counts; None when it is missing or outside the calendar.
    title : str
    texts : tuple[str, ...]
        In the order of preference.
    """

    table: str
    source: str
    id: str
    published: datetime | None
    loaded: datetime | None
    known: datetime | None
    title: str
    texts: tuple[str, ...]

    @property
    def impossible(self) -> bool:
        """Whether it claims to be published after it was loaded."""
        if self.published is None or self.loaded is None:
            return False
        return self.known == self.published and self.published > self.loaded + _CLOCKS_DIFFER


@dataclass(frozen=True)
class Article:
    """An article that may be read.

    Attributes
    ----------
    raw : Raw
        Without its texts.
    session : int
        The first that may know it: the next one after the day on which it came out, whatever the hour.
    text : str
        Headline and text, clean.
    sha256 : str
        Of the text.
    topics : tuple[str, ...]
    """

    raw: Raw
    session: int
    text: str
    sha256: str
    topics: tuple[str, ...]

    @property
    def known_from(self) -> date:
        """Day of its session."""
        return session_date(self.session)


def next_session(day: date) -> int:
    """Return the first session after ``day``.

    >>> from cbi_common.timeseries.calendar import session_date
    >>> session_date(next_session(date(2024, 12, 24))), session_date(next_session(date(2024, 12, 27)))
    (datetime.date(2024, 12, 26), datetime.date(2024, 12, 30))
    """
    return session_number(day) + 1


def read_articles(table: pa.Table, spec: NewsSpec) -> Iterator[Raw]:
    """Yield the rows of a table that has no `misfits`."""
    for row in (row for batch in table.to_batches(max_chunksize=_BATCH) for row in batch.to_pylist()):
        published, loaded = _moment(row, spec.published), _moment(row, spec.loaded)
        yield Raw(
            table=spec.table,
            source=_text(row, spec.source),
            id=_text(row, spec.id),
            published=published,
            loaded=loaded,
            known=published if spec.dated == "published" else loaded,
            title=_text(row, spec.title),
            texts=tuple(_text(row, name) for name in spec.texts),
        )


def misfits(schema: pa.Schema, spec: NewsSpec) -> tuple[str, ...]:
    """Return what keeps a table from being read as articles, one line each."""
    if spec.clock not in schema.names:
        return (f"missing_column: the table has no column {spec.clock!r}",)
    texts = [name for name in (spec.title, *spec.texts) if name in schema.names]
    if not texts:
        return ("missing_column: the table has neither title nor text",)
    moments = [name for name in (spec.published, spec.loaded) if name in schema.names]
    wrong = [name for name in moments if name and not pa.types.is_temporal(schema.field(name).type)]
    wrong += [name for name in texts if name and not _is_text(schema, name)]
    return tuple(f"wrong_type: column {name!r} is {schema.field(name).type}" for name in wrong)


def in_order(articles: Sequence[Raw]) -> list[Raw]:
    """Return articles as they came out: an order that rows of the warehouse have no part in."""
    return sorted(articles, key=lambda a: (a.known or _LAST, a.table, a.source, a.id, a.title, a.texts))


_LAST = datetime.max.replace(tzinfo=UTC)


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _text(row: dict[str, Any], name: str | None) -> str:
    value = None if name is None else row.get(name)
    return "" if value is None else str(value)[:MOST_RAW]


def _moment(row: dict[str, Any], name: str | None) -> datetime | None:
    value = None if name is None else row.get(name)
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if FIRST_DAY <= moment.date() < LAST_DAY else None
