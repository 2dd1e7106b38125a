"""The plan's files: every dataset of an export as Parquet, with recomputed targets, weights and one manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import sha256_hex
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import DatasetManifest
from cbi_common.markets.datasets import ExportSpec
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, table_bytes
from ingest.domain.export_manifest import ExportManifest, FileReport
from ingest.domain.exports import era_rows, file_table, weighted_rows
from ingest.domain.knowledge import empty_columns


@dataclass(frozen=True)
class Files:
    """Bytes by file name, and the manifest that speaks of them."""

    content: dict[str, bytes]
    manifest: ExportManifest


def make_files(lake: Lake, market: Market, exported: DataExported, say: Callable[[str], None]) -> Files:
    """Return the files of a complete export.

    Parameters
    ----------
    say : callable
        Told of every file in a line.

    Raises
    ------
    UsageError
        When the market file names no files.
    InfrastructureError
        When a dataset is missing or damaged.
    """
    if not market.exports:
        raise UsageError("no exports", where=f"market {market.id}", hint="name them under [[exports]] in its file")
    content: dict[str, bytes] = {}
    files: dict[str, FileReport] = {}
    skipped: dict[str, str] = {}
    for spec in market.exports:
        name = f"{spec.file}.parquet"
        made = _file(lake, market, exported, spec)
        if isinstance(made, str):
            skipped[name] = made
            say(f"{name}: not written, {made}")
            continue
        content[name], files[name] = made
        say(f"{name}: {files[name].rows:,} rows, {files[name].features} features")
    assert exported.as_of is not None
    manifest = ExportManifest(
        market=market.id,
        unit=market.unit,
        as_of=exported.as_of,
        warehouse=exported.warehouse or "",
        simulated=bool(exported.simulated),
        files=files,
        skipped=skipped,
    )
    return Files(content, manifest)


def _file(lake: Lake, market: Market, exported: DataExported, spec: ExportSpec) -> tuple[bytes, FileReport] | str:
    dataset = exported.datasets.get(spec.dataset)
    if dataset is None:
        return exported.absent.get(spec.dataset, f"the export has no dataset {spec.dataset}")
    if dataset.manifest is None:
        raise InfrastructureError("the dataset has no manifest", where=dataset.ref.key, hint="export the data again")
    about = DatasetManifest.model_validate(lake.get_json(dataset.manifest))
    whole = file_table(get_table(lake, dataset.ref), about.usable_columns, spec.horizons)
    rows = era_rows(whole, market.eras, spec.eras)
    if not rows.num_rows:
        return f"no row of {spec.dataset} lies in {', '.join(spec.eras)}: the data begins on {about.start}"
    unknown = set(empty_columns({name: rows[name].to_numpy() for name in about.usable_columns})) if spec.eras else set()
    weighted, effective = weighted_rows(rows.drop_columns(sorted(unknown)), market.eras)
    data = table_bytes(weighted)
    dropped = {**about.dropped_columns, **dict.fromkeys(unknown, f"all_null: not known in {', '.join(spec.eras)}")}
    days = weighted["date"]
    return data, FileReport(
        dataset=spec.dataset,
        source=about.source,
        eras=spec.eras,
        rows=weighted.num_rows,
        columns=tuple(weighted.column_names),
        features=len(about.usable_columns) - len(unknown),
        start=days[0].as_py(),
        end=days[-1].as_py(),
        sha256=sha256_hex(data),
        size_bytes=len(data),
        target=about.target,
        known_targets=dict(_known(weighted)),
        effective_rows=effective,
        dropped_columns=dict(sorted(dropped.items())),
        usable_from={name: day for name, day in about.usable_from.items() if name not in unknown},
        table=about.table,
        own_targets=about.own_targets,
    )


def _known(table: pa.Table) -> Iterator[tuple[str, int]]:
    for name in table.column_names:
        if name.startswith("target_"):
            values: np.ndarray[Any, Any] = table[name].to_numpy()
            yield name, int((~np.isnan(values)).sum())
