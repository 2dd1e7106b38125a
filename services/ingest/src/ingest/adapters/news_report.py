"""What `cbi news` found, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cbi_common.reporting.tables import UNKNOWN, Table, columns, number


def news_tables(found: dict[str, Any]) -> Iterator[Table]:
    """Yield the tables of what `ingest.jobs.news` returned."""
    yield _read(found)
    removed = [
        (table, reason, f"{count:,}", next(iter(counts["examples"][reason]), "")[:60])
        for table, counts in found["tables"].items()
        for reason, count in counts.get("removed", {}).items()
    ]
    if removed:
        yield Table("Left out", columns("<table", "<reason", "articles", "?<the first of them"), tuple(removed))
    yield _latest(found)


def _read(found: dict[str, Any]) -> Table:
    rows = tuple(
        (
            name,
            *(f"{counts[part]:,}" if part in counts else UNKNOWN for part in ("read", "kept", "later")),
            counts.get("trouble") or _remarks(counts),
        )
        for name, counts in found["tables"].items()
    )
    about = ", ".join(f"{topic} {count:,}" for topic, count in found["topics"].items())
    span = f"{found['articles']:,} articles on {found['sessions']:,} sessions"
    covered = f"{span} from {found['first']} to {found['last']}; {about}" if found["articles"] else span
    return Table(
        f"News of {found['market'].upper()} in {found['warehouse']} as of {found['as_of'] or 'the last article'}",
        columns("<table", "rows", "kept", "later", "<remarks"),
        rows,
        f"{covered}\nan article counts from the session after the day it came out",
    )


def _remarks(counts: dict[str, Any]) -> str:
    changed = [f"{what} {count:,}" for what, count in counts["changed"].items()]
    return ", ".join([*changed, *(f"no column {name}" for name in counts["missing"])])


def _latest(found: dict[str, Any]) -> Table:
    if found["absent"] is not None:
        return Table("No sentiment", (), (), found["absent"])
    latest = found["latest"]
    moods = tuple((topic, number(value, signed=True)) for topic, value in latest["moods"].items())
    named = (("session", latest["sentiment"]), ("mood", latest["mood"]))
    return Table(
        f"Sentiment of {latest['session']} by {found['model']['name']}, {latest['count']} articles",
        columns("<of", "net"),
        (*((name, number(value, signed=True)) for name, value in named), *moods),
        f"net: positive less negative, -1 to 1; mood: fading mean of all\nmade of {found['provenance']['key']}",
    )
