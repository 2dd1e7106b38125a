"""What is known of a table before its values are looked at: declared by the market file, or told by its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from cbi_common.markets.audits import AuditSpec
from cbi_common.markets.datasets import ColumnRule, DatasetSpec
from cbi_common.markets.spec import Market

Role = Literal["series", "dataset", "unused"]

_LOADED = (
    "ingest_timestamp_utc",
    "ingest_timestamp",
    "ingested_at",
    "updated_at",
    "created_at",
    "processed_timestamp",
    "scrape_timestamp",
    "fetch_time",
)
_DATES = ("date", "time", "report_date", "observation_date", "harvest_date", "published_date", "published", "timestamp")
_THINGS = {"symbol", "source_symbol", "instrument", "contract", "contract_code", "series", "indicator", "column_name"}
_PLACES = {"region", "station_id", "state", "state_code", "state_name", "destination_country"}
_KINDS = {"from_currency", "to_currency", "commodity", "progress_stage", "policy_type", "regime"}
_ARTICLES = {"title", "headline", "text", "url", "article_id"}
_KEYS = _THINGS | _PLACES | _KINDS | _ARTICLES

ORIGINS = ("source_name", "data_source", "source")
"""Columns that name where a row comes from."""

_ABOUT_ROWS = frozenset(
    [*ORIGINS, *_LOADED, "provenance_uuid", "confidence_score", "data_quality", "data_quality_score"]
)
_BAR = re.compile(r"(open|high|low|close)(_price)?")


@dataclass(frozen=True)
class Facts:
    """Facts of one table.

    Attributes
    ----------
    role : what the market does with it: reads series, exports it as a dataset, or nothing
    read : columns that series are read from; their rows have checks of their own
    date, loaded : columns with the day of the observation and the time of loading
    key : columns that with the date tell rows apart
    origins : columns that name the source of a row
    dataset : how the market exports it
    own_targets : targets that belong to the dataset; others are other horizons'
    rules : what the market file says of columns
    declared : what the market file says of the table
    """

    role: Role
    read: frozenset[str]
    date: str | None
    loaded: str | None
    key: tuple[str, ...]
    origins: tuple[str, ...]
    dataset: DatasetSpec | None
    own_targets: frozenset[str]
    rules: tuple[ColumnRule, ...]
    declared: AuditSpec

    def about_values(self, column: str) -> bool:
        """Return whether a column holds observations, and nothing about the row itself."""
        return column not in _ABOUT_ROWS and column != self.date


def facts_of(market: Market, name: str, table: pa.Table) -> Facts:
    """Return what is known of a table from the market file and from the names and types of its columns."""
    declared = next((audit for audit in market.audits if audit.table == name), AuditSpec(table=name))
    schema, series = table.schema, market.tables.get(name, ())
    dataset = next((spec for spec in market.datasets if spec.table == name), None)
    read = frozenset(column for spec in series for column in (spec.value, *spec.where))
    date = declared.date or (series[0].date if series else None) or (dataset.date if dataset else None)
    names = list(schema.names)
    return Facts(
        role="series" if series else "dataset" if dataset else "unused",
        read=read,
        date=date if date in names else _date(table),
        loaded=next((column for column in _LOADED if column in names), None),
        key=declared.key or tuple(column for column in names if column in _KEYS and _is_text(schema, column)),
        origins=tuple(column for column in ORIGINS if column in names and _is_text(schema, column)),
        dataset=dataset,
        own_targets=_own_targets(market, dataset),
        rules=market.column_rules,
        declared=declared,
    )


def bars_of(columns: Sequence[str]) -> list[Mapping[str, str]]:
    """Return the columns that are the open, high, low and close of one thing, by the names they have."""
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        match = _BAR.fullmatch(column)
        if match:
            found.setdefault(match.group(2) or "", {})[match.group(1)] = column
    return [bar for bar in found.values() if len(bar) == 4]


def _date(table: pa.Table) -> str | None:
    """Return the column of days: by its name, else by its type; one without any day is none."""
    filled = [name for name in table.column_names if table[name].null_count < table.num_rows]
    named = [name for name in _DATES if name in filled]
    typed = [name for name in filled if pa.types.is_temporal(table.schema.field(name).type) and name not in _LOADED]
    return next(iter([*named, *typed]), None)


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _own_targets(market: Market, dataset: DatasetSpec | None) -> frozenset[str]:
    if dataset is None:
        return frozenset()
    horizons = {h for export in market.exports if export.dataset == dataset.name for h in export.horizons}
    return frozenset(name for name, horizon in dataset.target_columns().items() if horizon in horizons)
