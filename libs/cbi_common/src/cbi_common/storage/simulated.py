"""The simulated market behind the face of a warehouse: the tables and columns that the market file reads."""

from __future__ import annotations

from functools import cached_property
from urllib.parse import parse_qsl

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import DataError, UsageError
from cbi_common.core.identity import digest
from cbi_common.markets.simulation import VERSION, Simulation, simulate
from cbi_common.markets.spec import SeriesSpec, load_market

SESSIONS = 6300
"""Default length: 25 years."""


class SimulatedWarehouse:
    """Tables of the simulated market.

    Parameters
    ----------
    url : str
        ``simulated``, or ``simulated?sessions=1500&seed=3&predictability=0.05``.
    seed : int
        Used unless the URL names one.

    Raises
    ------
    UsageError
        For a parameter that is unknown or no number.
    """

    simulated = True

    def __init__(self, url: str, seed: int) -> None:
        self.url = self.label = url
        chosen = {"sessions": SESSIONS, "seed": seed, "predictability": 0.02, **_parameters(url)}
        self._sessions, self._seed = int(chosen["sessions"]), int(chosen["seed"])
        self._predictability = float(chosen["predictability"])
        self._layout = load_market("zl").tables

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables."""
        return tuple(self._layout)

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""
        return self._table(table).schema

    def rows(self, table: str) -> int:
        """Return the number of rows."""
        return self._table(table).num_rows

    def read(self, table: str, columns: tuple[str, ...] | None = None) -> pa.Table:
        """Return a table, or the named columns of it."""
        found = self._table(table)
        return found if columns is None else found.select(list(columns))

    def fingerprint(self, table: str) -> str:
        """Return a digest that changes when the content of the table does."""
        if table not in self._layout:
            raise self._unknown(table)
        return digest("simulated", VERSION, table, self._sessions, self._seed, self._predictability)

    @cached_property
    def _simulation(self) -> Simulation:
        return simulate(self._sessions, self._seed, predictability=self._predictability)

    def _table(self, table: str) -> pa.Table:
        if table not in self._layout:
            raise self._unknown(table)
        groups: dict[tuple[tuple[str, str], ...], list[SeriesSpec]] = {}
        for series in self._layout[table]:
            groups.setdefault(tuple((column, values[-1]) for column, values in series.where.items()), []).append(series)
        parts = [self._rows(dict(where), members) for where, members in groups.items()]
        return pa.concat_tables(parts).sort_by(self._layout[table][0].date)

    def _rows(self, where: dict[str, str], members: list[SeriesSpec]) -> pa.Table:
        days, _ = self._simulation.series[members[0].name]
        columns = {members[0].date: pa.array(days.astype("datetime64[D]"))}
        columns |= {
            column: pa.array(np.full(len(days), value, dtype=object), pa.string()) for column, value in where.items()
        }
        columns |= {series.value: pa.array(self._simulation.series[series.name][1]) for series in members}
        return pa.table(columns)

    def _unknown(self, table: str) -> DataError:
        return DataError("no such table", where=table, hint=f"the simulated market has {', '.join(self._layout)}")


def _parameters(url: str) -> dict[str, float]:
    kind, _, query = url.partition("?")
    if kind != "simulated":
        raise UsageError(
            "not a simulated market", where=f"warehouse {url}", hint="write simulated?sessions=1500&seed=3"
        )
    found: dict[str, float] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("sessions", "seed", "predictability"):
            raise UsageError(
                f"no parameter {name!r}", where=f"warehouse {url}", hint="use sessions, seed, predictability"
            )
        try:
            found[name] = float(value) if name == "predictability" else int(value)
        except ValueError:
            raise UsageError(f"{name}={value!r} is no number", where=f"warehouse {url}", hint="give a number") from None
    return found
