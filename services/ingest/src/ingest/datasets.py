"""Datasets of an export in the lake, each with a manifest: the canonical panel, its features, the wide tables."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.events.data import Dataset
from cbi_common.events.manifest import DatasetManifest, TableRows, TargetComparison
from cbi_common.markets.datasets import DatasetSpec
from cbi_common.markets.spec import Market
from cbi_common.storage.day_range import days_until
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.storage.warehouse import Warehouse
from cbi_common.timeseries.calendar import session_date
from ingest.domain.exports import effective_rows, known_targets
from ingest.domain.features import compute_features, lost_features
from ingest.domain.gate import Verdict
from ingest.domain.knowledge import Knowledge
from ingest.domain.manifest import Span
from ingest.domain.panel import Panel
from ingest.domain.targets import DEFINITION, PriceAhead, compare_target, foretelling
from ingest.domain.wide import (
    choose_columns,
    columns_as_known,
    raw_reasons,
    reach,
    read_wide,
    table_rows,
)

VERSION = 1
"""Raised when an equal table and price give another dataset than before."""

CANONICAL = "canonical panel"


class Stored(BaseModel):
    """A dataset in the lake, and what a plan must know of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Dataset
    usable_from: dict[str, int]
    first_session: int
    last_session: int


@dataclass(frozen=True)
class Datasets:
    """The datasets of an export.

    Attributes
    ----------
    panel : Dataset
        No model trains on it.
    stored : name to dataset, ``full`` and the wide tables
    absent : name of a wide table that could not be made to the reason
    """

    panel: Dataset
    stored: dict[str, Stored]
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def events(self) -> dict[str, Dataset]:
        """Return all datasets as an event carries them."""
        return {"panel": self.panel, **{name: stored.dataset for name, stored in self.stored.items()}}

    @property
    def spans(self) -> dict[str, Span]:
        """Return the sessions that each dataset covers."""
        return {name: Span(stored.first_session, stored.last_session) for name, stored in self.stored.items()}

    @property
    def usable_from(self) -> dict[str, dict[str, int]]:
        """Return from which session on a refit may use each column."""
        return {name: stored.usable_from for name, stored in self.stored.items()}


def put_datasets(
    lake: Lake,
    market: Market,
    warehouse: Warehouse,
    verdict: Verdict,
    panel: Panel,
    content: str,
    wanted: Collection[str],
) -> Datasets:
    """Store the panel, its features and the wide tables.

    Parameters
    ----------
    verdict : Verdict
        Of the gate; it names the series that were lost.
    content : str
        Digest of all that decides panel and features.
    wanted : collection of str
        Names of the wide tables to make.
    """
    ref = put_table(lake, f"panel/{content}", panel.table(panel.series))
    at_hand = Dataset(
        ref=ref,
        sha256=ref.sha256,
        rows=len(panel.sessions),
        columns=len(panel.series),
        start=panel.dates[0].item(),
        end=panel.dates[-1].item(),
        dropped_columns=verdict.lost,
    )
    features, lost = compute_features(market, panel), lost_features(market, verdict.lost)
    origin = _Origin(CANONICAL, at_hand.end, lost)
    stored = {"full": _put(lake, market, "full", panel, features, content, origin)}
    absent = {}
    for spec in market.datasets:
        if spec.name in wanted:
            made = _put_wide(lake, market, warehouse, spec, panel)
            if isinstance(made, Stored):
                stored[spec.name] = made
            else:
                absent[spec.name] = made
    return Datasets(at_hand, stored, absent)


@dataclass(frozen=True)
class _Origin:
    source: str
    as_of: date
    dropped: Mapping[str, str]
    table: TableRows | None = None
    own_targets: tuple[TargetComparison, ...] = ()


def _put_wide(lake: Lake, market: Market, warehouse: Warehouse, spec: DatasetSpec, panel: Panel) -> Stored | str:
    if spec.table not in warehouse.tables():
        return f"missing_table: the warehouse has no table {spec.table}"
    try:
        content = _content(market, warehouse, spec, panel)
        return _intact(lake, f"wide/{content}") or _make_wide(lake, market, warehouse, spec, panel, content)
    except DataError as error:
        return f"unreadable: {error.what}"


def _content(market: Market, warehouse: Warehouse, spec: DatasetSpec, panel: Panel) -> str:
    """Return a digest of all that decides the dataset of a wide table; features and other tables are no part of it."""
    rules = [rule.model_dump(mode="json") for rule in market.column_rules]
    eras = [(era.name, str(era.start), str(era.end), era.weight) for era in market.eras]
    price = sha256_hex(panel.sessions.tobytes() + panel.price.tobytes())
    return digest(
        VERSION, market.id, spec.model_dump(mode="json"), rules, eras, warehouse.fingerprint(spec.table), price
    )


def _make_wide(
    lake: Lake, market: Market, warehouse: Warehouse, spec: DatasetSpec, panel: Panel, content: str
) -> Stored | str:
    schema = warehouse.schema(spec.table)
    kept, dropped = choose_columns(schema, spec, market.column_rules)
    targets = [name for name in spec.target_columns() if name in schema.names]
    as_of = panel.dates[-1].item()
    known = days_until(schema, spec.date, as_of)
    table = warehouse.read(spec.table, (spec.date, *kept, *targets), days=known)
    wide = read_wide(table, spec, market.column_rules, as_of)
    rows = panel.rows(reach(wide, spec, panel.sessions))
    if not len(rows.sessions):
        return "empty_table: no row lies on a session that has a price"
    prices = PriceAhead(panel.sessions, panel.price)
    leaks = foretelling(wide.values, wide.sessions, prices)
    values = columns_as_known(wide, spec, market.column_rules, rows.sessions)
    own = tuple(
        compare_target(wide.own_targets[h], wide.sessions, prices, h, unit)
        for h, unit in spec.targets.items()
        if h in wide.own_targets
    )
    reasons = {**raw_reasons(wide), **dropped, **leaks}
    origin = _Origin(spec.table, as_of, reasons, table_rows(wide, rows.sessions), own)
    honest = {name: column for name, column in values.items() if name not in leaks}
    made = _put(lake, market, spec.name, rows, honest, content, origin)
    lake.put_json(f"wide/{content}", made.model_dump(mode="json"))
    return made


def _put(
    lake: Lake,
    market: Market,
    name: str,
    rows: Panel,
    columns: Mapping[str, np.ndarray[Any, Any]],
    content: str,
    origin: _Origin,
) -> Stored:
    knowledge = Knowledge(rows.sessions, dict(columns))
    usable = knowledge.usable_from()
    dropped = {**knowledge.reasons(), **{n: r for n, r in origin.dropped.items() if n not in usable}}
    ref = put_table(lake, f"{name}/{content}", rows.table(columns))
    manifest = DatasetManifest(
        name=name,
        market=market.id,
        source=origin.source,
        as_of=origin.as_of,
        sha256=ref.sha256,
        rows=len(rows.sessions),
        start=rows.dates[0].item(),
        end=rows.dates[-1].item(),
        usable_columns=tuple(column for column in columns if column in usable),
        dropped_columns=dict(sorted(dropped.items())),
        usable_from={column: session_date(session) for column, session in usable.items()},
        target=DEFINITION,
        known_targets=known_targets(rows.sessions, rows.price),
        effective_rows=effective_rows(rows.dates, market.eras),
        table=origin.table,
        own_targets=origin.own_targets,
    )
    dataset = Dataset(
        ref=ref,
        sha256=ref.sha256,
        rows=manifest.rows,
        columns=len(usable),
        start=manifest.start,
        end=manifest.end,
        dropped_columns=manifest.dropped_columns,
        source=None if origin.source == CANONICAL else origin.source,
        effective_rows=manifest.effective_rows,
        manifest=lake.put_json(f"dataset/{name}/{content}", manifest.model_dump(mode="json")),
    )
    return Stored(
        dataset=dataset, usable_from=usable, first_session=int(rows.sessions[0]), last_session=int(rows.sessions[-1])
    )


def references(datasets: Mapping[str, Dataset]) -> list[LakeRef]:
    """Return the claim checks of the datasets and of their manifests."""
    refs = [dataset.ref for dataset in datasets.values()]
    return refs + [dataset.manifest for dataset in datasets.values() if dataset.manifest is not None]


def _intact(lake: Lake, key: str) -> Stored | None:
    raw = lake.get_if_intact(key)
    if raw is None:
        return None
    stored = Stored.model_validate(json.loads(raw))
    intact = all(lake.get_if_intact(ref.key) is not None for ref in references({"": stored.dataset}))
    return stored if intact else None
