"""How old a table is: the day of its newest row that is of any use."""

from __future__ import annotations

from collections.abc import Mapping

from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import Market
from ingest.domain.rows import Rows


def with_newest(
    market: Market, quality: Mapping[str, TableQuality], series: Mapping[str, Rows]
) -> dict[str, TableQuality]:
    """Return the verdicts, each with the day of the newest row that came through the gate.

    The newest row of any series counts: a table whose feed has stopped is old, one of whose columns has stopped is not
    (that is the check ``stale``).

    Parameters
    ----------
    market : Market
    quality : table to its verdict
    series : name to its rows, one per session in ascending order
    """
    days = {
        table: max(series[spec.name].days[-1].item() for spec in specs if spec.name in series)
        for table, specs in market.tables.items()
        if any(spec.name in series for spec in specs)
    }
    return {name: table.model_copy(update={"newest": days.get(name)}) for name, table in quality.items()}
