"""How near a statistic is to its limit: beyond 1 exactly where the rule would find something."""

from __future__ import annotations

import asyncio
from datetime import date

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.data import TableQuality
from cbi_common.markets.files import load_market
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.story import exported
from cbi_common.timeseries.calendar import session_date
from monitor.domain import feature_drift as drift
from monitor.domain.conditions import Book
from monitor.domain.correlation import correlation_scores, find_broken
from monitor.domain.market_view import MarketView
from monitor.domain.performance import check_at, performance_score
from monitor.domain.rows import Rows
from monitor.domain.staleness import find_stale, staleness_scores
from monitor.domain.unseen import find_unseen, unseen_score
from monitor.rules_file import load_rules
from monitor.watch_handlers import WatchHandlers

RULES = load_rules()
N = 3000
SESSIONS = np.arange(2000, 2000 + N)
DATES = np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]")
PAIR = [("zl", "zs")]


def walk(moves):
    return 40 * np.exp(np.cumsum(moves))


def view(**series) -> MarketView:
    price = series.get("zl", walk(np.random.default_rng(9).normal(0, 0.012, N)))
    return MarketView(SESSIONS, DATES, price, series, {})


def linked(seed: int, breaks_at: int) -> MarketView:
    a, own = np.random.default_rng(seed).normal(0, 0.01, (2, N))
    b = 0.6 * a + 0.8 * own
    b[breaks_at:] = own[breaks_at:]
    return view(zl=walk(a), zs=walk(b))


def test_a_link_scores_beyond_one_where_it_counts_as_broken() -> None:
    seen = linked(0, breaks_at=2800)
    beyond = []
    for end in range(2800, 2861):
        score = correlation_scores(seen.until(end), PAIR, RULES.correlation)["zl-zs"]
        found = bool(find_broken(seen.until(end), PAIR, RULES.correlation))
        beyond.append(score > 1)
        assert found == all(beyond[-RULES.correlation.confirmations :]) or len(beyond) < RULES.correlation.confirmations
    assert not beyond[0]
    assert beyond[-1]


def test_a_pair_without_a_link_has_no_score() -> None:
    assert correlation_scores(view(zl=walk(np.ones(N) * 1e-3)), PAIR, RULES.correlation) == {}


def test_a_group_scores_as_its_worst_feature() -> None:
    rng = np.random.default_rng(1)
    calm, moved = rng.normal(size=N), rng.normal(size=N)
    moved[2800:] += 2
    columns = {"calm": calm[:2821], "moved": moved[:2821]}
    known = drift.references(view().until(2800), {name: v[:2800] for name, v in columns.items()}, RULES.feature)
    apart = drift.feature_scores(columns, known, {"calm": "a", "moved": "b"}, RULES.feature)
    assert apart["a"] < 1 < apart["b"]
    assert drift.feature_scores(columns, known, {"calm": "a", "moved": "a"}, RULES.feature) == {"a": apart["b"]}
    (found,) = drift.find_drifted(view().until(2821), columns, known, {"moved": "b"}, RULES.feature)
    assert found.condition == "feature/b"


def test_an_unseen_state_scores_beyond_one_exactly_where_it_is_found() -> None:
    moves = np.random.default_rng(3).normal(0, 0.015, N)
    moves[2800:] *= 5
    wild = view(zl=walk(moves))
    ends = range(2795, 2842, 3)
    scores = [unseen_score(wild.until(end), None, RULES.unseen) for end in ends]
    found = [bool(find_unseen(wild.until(end), None, RULES.unseen)) for end in ends]
    assert [score is not None and score > 1 for score in scores] == found
    assert any(found)
    assert not all(found)


def test_a_market_that_never_moved_has_no_score() -> None:
    assert unseen_score(view(zl=np.full(N, 40.0)), None, RULES.unseen) is None
    assert unseen_score(view().until(300), None, RULES.unseen) is None


def rows(breaks: int) -> Rows:
    n, rng = 260, np.random.default_rng(0)
    y = rng.normal(0, 0.03, n)
    y_hat = 0.3 * y + rng.normal(0, 0.003, n)
    y_hat[breaks:] = -0.6 * y[breaks:]
    sessions, price = 3000 + 5 * np.arange(n), np.full(n, 50.0)
    return Rows(sessions, sessions + 5, price, y_hat, y, price * 0.95, price * 1.05)


@pytest.mark.parametrize(("breaks", "bad"), [(260, False), (230, True)])
def test_errors_score_beyond_one_where_the_check_is_bad(breaks: int, bad: bool) -> None:
    whole = rows(breaks)
    score = performance_score(whole, Horizon.W1, RULES.performance)
    check = check_at(whole, 259, 5, RULES.performance)
    assert score is not None
    assert check is not None
    assert (score > 1) == check.bad(RULES.performance) == bad
    assert performance_score(whole.where(np.arange(260) < 5), Horizon.W1, RULES.performance) is None


def test_a_table_scores_beyond_one_where_it_is_stale() -> None:
    market, today = load_market("zl"), date(2024, 6, 3)
    table = "forecasting_data_warehouse.vix_daily"
    for back in range(12):
        newest = session_date(5000 - back)
        quality = {table: TableQuality(rows=9, verdict="ok", newest=newest)}
        as_of = session_date(5000)
        (score,) = staleness_scores(market, quality, as_of).values()
        assert (score > 1) == bool(find_stale(market, quality, as_of)), back
    assert staleness_scores(market, {}, today) == {}


def test_the_book_keeps_the_scores_of_the_last_look(tmp_path) -> None:
    kit = make_kit(
        tmp_path, jobs={"monitor.watching:look_at_data": lambda _: {"findings": [], "scores": {"stale/t": 0.4}}}
    )
    asyncio.run(WatchHandlers(kit).watch(envelope(exported(simulated=False))))
    raw = asyncio.run(kit.state.get("watched.zl.real"))
    assert raw is not None
    assert Book.model_validate_json(raw).scores == {"stale/t": 0.4}
