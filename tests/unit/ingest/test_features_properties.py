"""Neither the order nor the repetition of rows, nor columns beside them, change the panel or a feature by a bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbi_common.markets import Market
from cbi_common.storage.warehouse import open_warehouse
from ingest.adapters.sources import read_sources
from ingest.domain.features import compute_features
from ingest.domain.gate import examine
from ingest.domain.panel import build_panel
from ingest.domain.rows import Rows
from ingest.domain.tables import Source


@pytest.fixture(scope="module")
def small(market: Market) -> dict[str, Source]:
    return read_sources(market, open_warehouse("simulated?sessions=320&seed=3"))


def bits(market: Market, sources: Mapping[str, Source]) -> dict[str, bytes]:
    panel = build_panel(market, examine(market, sources, None).series)
    columns = {**panel.series, **compute_features(market, panel), "price": panel.price}
    return {"sessions": panel.sessions.tobytes(), **{name: values.tobytes() for name, values in columns.items()}}


@pytest.fixture(scope="module")
def plain(market: Market, small: dict[str, Source]) -> dict[str, bytes]:
    return bits(market, small)


def disturbed(source: Source, seed: int, repeated: float, beside: bool) -> Source:
    assert source.table is not None
    rng, table = np.random.default_rng(seed), source.table
    rows = np.arange(table.num_rows)
    table = table.take(rng.permutation(np.concatenate([rows, rows[rng.random(len(rows)) < repeated]])))
    if beside:
        table = table.append_column("beside", pa.array(rng.standard_normal(table.num_rows)))
        table = table.append_column("words", pa.array(["x"] * table.num_rows))
    table = table.select(rng.permutation(np.array(table.column_names)).tolist())
    return replace(source, table=table, columns=(*source.columns, *({"beside", "words"} if beside else ())))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), repeated=st.sampled_from([0.0, 0.3, 1.0]), beside=st.booleans())
def test_shuffled_repeated_and_accompanied_rows_give_the_same_features(
    market: Market, small: dict[str, Source], plain: dict[str, bytes], seed: int, repeated: float, beside: bool
) -> None:
    assert bits(market, {name: disturbed(s, seed, repeated, beside) for name, s in small.items()}) == plain


def test_a_row_more_is_noticed(market: Market, small: dict[str, Source], plain: dict[str, bytes]) -> None:
    prices = market.by_name["zl"].table
    table = small[prices].table
    assert table is not None
    fewer = {**small, prices: replace(small[prices], table=table.slice(1))}
    assert bits(market, fewer)["zl_return_1"] != plain["zl_return_1"]


def test_what_came_out_late_is_not_in_the_panel(market: Market) -> None:
    days = np.array(["2018-12-18", "2018-12-24", "2019-02-26", "2019-03-05"], dtype="datetime64[D]")
    sessions = np.array([4770, 4774, 4817, 4822])
    whole = np.ones(4, dtype=bool)
    reports = Rows("open_interest", days, sessions, whole, np.zeros(4, dtype=np.int64), np.arange(4.0))
    run = np.arange(4760, 4840)
    dates = np.datetime64("2018-12-04") + np.arange(80)
    price = Rows("zl", dates, run, np.ones(80, dtype=bool), np.zeros(80, dtype=np.int64), np.full(80, 30.0))
    spec = market.by_name["open_interest"]
    assert (date(2018, 12, 24), date(2019, 2, 26)) in spec.late
    found = build_panel(market, {"zl": price, "open_interest": reports}).series["open_interest"]
    assert set(found[~np.isnan(found)]) == {0.0, 3.0}
    assert run[~np.isnan(found)][0] == 4770 + spec.release_lag_sessions
