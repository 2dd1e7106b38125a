"""The simulated market behind the face of a warehouse.

What is true of the market, and nobody can see, is not here: `cbi_common.markets.simulation.truth`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa

from cbi_common.core.errors import DataError, UsageError
from cbi_common.core.identity import digest
from cbi_common.markets.files import load_market
from cbi_common.markets.flaws import FLAWS, parse_flaws, spoil
from cbi_common.markets.simulation import VERSION, Setting
from cbi_common.markets.simulation.benchmark import BENCHMARK, predictions
from cbi_common.markets.simulation.faults import FAULTS, parse_faults
from cbi_common.markets.simulation.tables import Tables
from cbi_common.markets.spec import SeriesSpec
from cbi_common.storage.warehouse import DayRange, chosen

SESSIONS = 6300
"""Default length: 25 years."""


class SimulatedWarehouse:
    """Tables of the simulated market.

    Parameters
    ----------
    url : str
        ``simulated``, or with any of these parameters, which `Setting` describes:
        ``simulated?sessions=1500&seed=3&predictability=0.05&drift_at=2020-03-02&flaws=stale,weekend_row:3``. Flaws are
        keys of ``markets.flaws.FLAWS`` with an intensity from 1 to 3. ``faults=frozen_feed:2020-03-02,…`` puts in
        ``markets.simulation.faults.FAULTS``, each from its date on. ``benchmark=1`` adds the predictions of somebody
        who knows as little as no-change, with a noise of that many percent.
    seed : int
        Used unless the URL names one.

    Raises
    ------
    UsageError
        For a parameter that is unknown or out of its range.
    """

    simulated = True

    def __init__(self, url: str, seed: int) -> None:
        self.url = self.label = url
        chosen = {"sessions": SESSIONS, "seed": seed, **_parameters(url)}
        self._flaws: dict[str, int] = chosen.pop("flaws", {})
        self._benchmark: float | None = chosen.pop("benchmark", None)
        self.setting = Setting(**chosen)
        self._tables = Tables(self.setting)
        self._made: dict[str, pa.Table] = {}

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables."""
        return (*self._tables.names, *([] if self._benchmark is None else [BENCHMARK]))

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""
        return self._table(table).schema

    def rows(self, table: str) -> int:
        """Return the number of rows."""
        return self._table(table).num_rows

    def size(self, table: str) -> int:
        """Return the bytes in memory."""
        return self._table(table).nbytes

    def read(self, table: str, columns: tuple[str, ...] | None = None, *, days: DayRange | None = None) -> pa.Table:
        """Return a table, or the named columns of it, or the rows of ``days``."""
        return chosen(table, self._table(table), columns, days)

    def fingerprint(self, table: str) -> str:
        """Return a digest that changes when the content of the table does."""
        if table not in self.tables():
            raise self._unknown(table)
        if table == BENCHMARK:
            return digest("simulated benchmark", self.fingerprint(_price().table), self._benchmark)
        s = self.setting
        drift = None if s.drift_at is None else s.drift_at.isoformat()
        content = [VERSION, table, s.sessions, s.seed, s.predictability, drift, self._flaws]
        faults = [[name, day.isoformat()] for name, day in s.faults]
        return digest("simulated", *content, *([faults] if faults else []))

    def _table(self, table: str) -> pa.Table:
        if table not in self.tables():
            raise self._unknown(table)
        if table not in self._made:
            if table == BENCHMARK:
                assert self._benchmark is not None  # or there is no such table
                self._made[table] = predictions(
                    self._table(_price().table), _price(), self._benchmark / 100, self.setting.seed
                )
            else:
                self._made[table] = self._spoiled(table, self._tables.make(table))
        return self._made[table]

    def _spoiled(self, name: str, table: pa.Table) -> pa.Table:
        for flaw, intensity in self._flaws.items():
            if FLAWS[flaw].place.table == name:
                table = spoil(flaw, {name: table}, intensity, self.setting.seed).table
        return table

    def _unknown(self, table: str) -> DataError:
        known = ", ".join(self.tables())
        return DataError("no such table", where=table, hint=f"the simulated market has {known}")


def _price() -> SeriesSpec:
    market = load_market("zl")
    return market.by_name[market.price]


_READ: dict[str, Callable[[str], Any]] = {
    "sessions": int,
    "seed": int,
    "predictability": float,
    "drift_at": date.fromisoformat,
    "flaws": parse_flaws,
    "faults": parse_faults,
    "benchmark": float,
}


_WANTED = {"drift_at": "date", "faults": f"list of NAME:DATE with names among {', '.join(FAULTS)}"}


def _parameters(url: str) -> dict[str, Any]:
    kind, _, query = url.partition("?")
    where = f"warehouse {url}"
    if kind != "simulated":
        raise UsageError("not a simulated market", where=where, hint="write simulated?sessions=1500&seed=3")
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _READ:
            raise UsageError(f"no parameter {name!r}", where=where, hint=f"use {', '.join(_READ)}")
        try:
            found[name] = _READ[name](value)
        except ValueError:
            wanted = _WANTED.get(name, "number")
            raise UsageError(f"{name}={value!r} is no {wanted}", where=where, hint=f"give a {wanted}") from None
    return found
