"""The simulated market in the table layout of the warehouse."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.markets.files import load_market
from cbi_common.markets.simulation import training_tables
from cbi_common.markets.simulation.articles import NEWS_TABLE, news_table
from cbi_common.markets.simulation.columns import make_columns
from cbi_common.markets.simulation.history import Setting
from cbi_common.markets.simulation.series import Simulation, simulate
from cbi_common.markets.simulation.training_tables import PRODUCTION, TRUMP_RICH, WIDE_TABLES
from cbi_common.markets.spec import SeriesSpec


class Tables:
    """The tables of one simulated market, made when they are asked for.

    They are those that the market file reads, the plan's wide training tables and a year of news.

    Parameters
    ----------
    setting : Setting
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        market = load_market("zl")
        self._layout = market.tables
        self._units = {spec.table: spec.targets for spec in market.datasets}
        self.names = tuple(dict.fromkeys([*self._layout, *WIDE_TABLES, NEWS_TABLE]))

    def make(self, name: str) -> pa.Table:
        """Return one of the ``names``, ascending by date."""
        if name in WIDE_TABLES:
            return self._overlaid(self._wide(name), self._layout.get(name, ()))
        if name == NEWS_TABLE:
            return news_table(self._setting, self._simulation)
        return self._of_series(self._layout[name])

    @cached_property
    def _simulation(self) -> Simulation:
        s = self._setting
        return simulate(
            s.sessions,
            s.seed,
            predictability=s.predictability,
            drift_at=s.drift_at,
            last_day=s.last_day,
            faults=s.faults,
        )

    @cached_property
    def _columns(self) -> dict[str, np.ndarray[Any, Any]]:
        return make_columns(self._setting, self._simulation)

    def _wide(self, name: str) -> pa.Table:
        days, price = self._simulation.series["zl"]
        if name == TRUMP_RICH:
            return training_tables.trump_rich_table(days, price, self._columns)
        horizon = PRODUCTION[name]
        unit = self._units.get(name, {}).get(horizon, "price")
        return training_tables.production_table(days, price, self._columns, horizon, unit)

    def _overlaid(self, table: pa.Table, specs: tuple[SeriesSpec, ...]) -> pa.Table:
        """Give the columns that the market file reads from a wide table the values of their series."""
        for spec in specs:
            days, values = self._simulation.series[spec.name]
            rows = np.searchsorted(table["date"].to_numpy(), days)
            there = np.isin(days, table["date"].to_numpy())
            column = np.full(table.num_rows, np.nan)
            column[rows[there]] = values[there]
            made = pa.array(column, from_pandas=True)
            at = table.schema.get_field_index(spec.value)
            table = table.append_column(spec.value, made) if at < 0 else table.set_column(at, spec.value, made)
        return table

    def _of_series(self, specs: tuple[SeriesSpec, ...]) -> pa.Table:
        groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[SeriesSpec]] = {}
        for spec in specs:
            where = tuple((column, values[-1]) for column, values in spec.where.items())
            groups.setdefault((spec.frequency, where), []).append(spec)
        parts = [self._rows(dict(where), members) for (_, where), members in groups.items()]
        return pa.concat_tables(parts, promote_options="default").sort_by(specs[0].date)

    def _rows(self, where: dict[str, str], members: list[SeriesSpec]) -> pa.Table:
        days, _ = self._simulation.series[members[0].name]
        columns: dict[str, pa.Array[Any]] = {members[0].date: pa.array(days.astype("datetime64[D]"))}
        for column, value in where.items():
            columns[column] = pa.array(np.full(len(days), value, dtype=object), pa.string())
        columns |= {spec.value: pa.array(self._simulation.series[spec.name][1]) for spec in members}
        return pa.table(columns)
