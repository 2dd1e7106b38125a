"""The tables of docs/features.md, made of the market files.

``python -m ingest.features_page docs/features.md`` writes them anew between the marks, after a change that is meant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.markets import Market, known_markets, load_market
from cbi_common.markets.spec import FeatureSpec, SeriesSpec
from ingest.domain.kinds.formulas import formula

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
REFRESH = "python -m ingest.features_page docs/features.md"


def render(market: Market) -> str:
    """Return the series and features of a market as Markdown, features by driver group."""
    lines = [f"## {market.name}: {len(market.features)} features of {len(market.series)} series", ""]
    lines += _table(("series", "column", "unit", "lag", "stale after"), [_series(spec) for spec in market.series])
    for group in market.groups:
        own = [feature for feature in market.features if feature.group == group]
        lines += ["", f"### {market.name}, {group}: {len(own) or 'no'} features"]
        if own:
            heads = ("feature", "formula", "unit", "lag", "horizons", "for")
            lines += ["", *_table(heads, [_feature(market, feature) for feature in own])]
    return "\n".join(lines) + "\n"


def refreshed(page: str) -> str:
    """Return the page with the tables of all markets that ship with the library.

    Raises
    ------
    UsageError
        When the marks are missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"no {BEGIN} and {END}", where="features page", hint="put both marks around the tables")
    tables = "\n".join(render(load_market(name)) for name in sorted(known_markets(), reverse=True))
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _series(spec: SeriesSpec) -> tuple[str, ...]:
    where = "".join(f", {column} {' or '.join(values)}" for column, values in spec.where.items())
    column = f"`{spec.table}.{spec.value}`{where}"
    return spec.name, column, spec.unit, str(spec.release_lag_sessions), str(spec.staleness_sessions)


def _feature(market: Market, feature: FeatureSpec) -> tuple[str, ...]:
    lag = max((_lag(market, name) for name in feature.inputs), default=0)
    horizons = "all" if set(feature.horizons) == set(Horizon) else " ".join(feature.horizons)
    return feature.name, formula(feature), feature.unit, str(lag), horizons, feature.doc


def _lag(market: Market, series: str) -> int:
    # Articles of a day count from the next session on.
    return 1 if series in market.news_series else market.by_name[series].release_lag_sessions


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(heads), "|" + "---|" * len(heads), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: Sequence[str]) -> None:
    """Write the tables into a page.

    Raises
    ------
    UsageError
        When the page is missing.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        raise UsageError("one page is needed", where="features page", hint=REFRESH)
    page = Path(arguments[0])
    page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
