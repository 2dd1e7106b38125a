"""What `cbi export` wrote, as tables for the terminal."""

from __future__ import annotations

from cbi_common.reporting.tables import UNKNOWN, Table, columns, number, percent
from ingest.domain.export_manifest import ExportManifest


def export_table(manifest: ExportManifest) -> Table:
    """Return the files with their rows, span and effective sample sizes."""
    rows = [
        (
            name,
            f"{file.rows:,}",
            str(file.features),
            str(len(file.dropped_columns)),
            str(file.start),
            str(file.end),
            *(number(file.effective_rows[scheme], 0) for scheme in ("plan", "capped", "uniform")),
        )
        for name, file in manifest.files.items()
    ]
    skipped = "; ".join(f"{name} not written: {reason}" for name, reason in manifest.skipped.items())
    return Table(
        f"{manifest.market} as of {manifest.as_of}",
        columns("<file", "rows", "features", "dropped", "<?from", "<?to", "Kish plan", "capped", "uniform"),
        tuple(rows),
        f"Kish: equally weighted rows that carry as much information. {skipped}".strip(),
    )


def own_target_table(manifest: ExportManifest) -> Table:
    """Return the tables' own targets beside the recomputed ones."""
    found = {(file.source, own.column): own for file in manifest.files.values() for own in file.own_targets}
    rows = [
        (
            source,
            own.column,
            f"{own.compared:,}",
            percent(own.share_equal),
            percent(own.max_deviation),
            f"{own.filled_before_outcome:,}",
            f"{own.frozen_tail:,}",
            UNKNOWN if own.nearest_lead_sessions is None else str(own.nearest_lead_sessions),
            percent(own.nearest_lead_share),
        )
        for (source, _), own in found.items()
    ]
    return Table(
        "The tables' own targets, which are not used",
        columns(
            "<table",
            "<column",
            "compared",
            "equal",
            "max deviation",
            "filled early",
            "frozen tail",
            "?lead",
            "?of rows",
        ),
        tuple(rows),
        "equal: within 0.1 % of the price; lead: sessions ahead whose price the column agrees with most often",
    )
