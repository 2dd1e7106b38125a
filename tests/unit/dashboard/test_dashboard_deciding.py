"""Buying by a run's own forecasts: only scored cutoffs, the close of the day, the fill of the next."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cbi_common.core.errors import DataError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.procurement.market import Terms
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.story import Story, forecast_ready
from cbi_common.timeseries.calendar import session_date
from dashboard import buying
from dashboard.backtest_handler import BacktestHandler
from dashboard.deciding import decide, read_basis

AS_OF, START = 6000, 5200
SESSIONS = np.arange(4000, AS_OF + 1)
PRICE = 50 * np.exp(0.2 * np.sin(SESSIONS / 60))
CUTOFFS = np.arange(5000, AS_OF, 5)


def forecast(lake: Lake, y_hat: np.ndarray) -> SimpleNamespace:
    days = pa.array([session_date(int(s)) for s in SESSIONS], pa.date32())
    panel = put_table(lake, "panel/x", pa.table({"session": SESSIONS, "date": days, "price": PRICE}))
    manifest = RunManifest(
        market="zl", as_of=session_date(AS_OF), as_of_session=AS_OF, profile="quick", simulated=True,
        datasets={"panel": panel}, refits=(), cutoff_every=5,
        windows={Horizon.M3: ScoredWindow(burn_in_start=5000, start=START, end=AS_OF - 63)}, members=(),
        catalogue_sha256="0" * 64,
    )  # fmt: skip
    served = pa.table(
        {"horizon": ["3m"] * len(CUTOFFS), "session": CUTOFFS, "y_hat": y_hat, "sd": np.full(len(CUTOFFS), 0.1)}
    )
    return SimpleNamespace(
        run_id="r1", manifest=lake.put_json("manifest/x", manifest.model_dump(mode="json")),
        served=put_table(lake, "served/x", served),
    )  # fmt: skip


def perfect() -> np.ndarray:
    later = 50 * np.exp(0.2 * np.sin((CUTOFFS + 63) / 60))
    return np.log(later / PRICE[np.searchsorted(SESSIONS, CUTOFFS)])


def test_forecasts_that_know_save_and_their_reverse_costs(tmp_path) -> None:
    lake = Lake(str(tmp_path))
    market, knowing = decide(lake, forecast(lake, perfect()), Terms(carry=0.05))
    assert market.sessions[0] >= START
    np.testing.assert_allclose(market.fill, PRICE[np.searchsorted(SESSIONS, market.sessions) + 1])
    _, wrong = decide(lake, forecast(lake, -perfect()), Terms(carry=0.05))
    assert knowing["signal"].savings_pct > knowing["ladder"].savings_pct > wrong["signal"].savings_pct
    assert knowing["spot"].savings_pct == 0
    assert all(r.savings_pct <= r.ceiling_pct for r in knowing.values())


def test_a_horizon_that_the_run_lacks_is_an_error(tmp_path) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(DataError, match="no forecast at 1w"):
        decide(lake, forecast(lake, perfect()), Terms(), Horizon.W1)


def asked(lake: Lake, **changes: object) -> Envelope[ForecastReady]:
    data = Story().tell(forecast_ready()).data
    found = forecast(lake, perfect())
    named = {"manifest": found.manifest, "served": found.served, "run_id": "r1", **changes}
    return envelope(data.model_copy(update=named), source="ensemble")


def test_a_final_forecast_is_bought_by_once_and_told_as_stored_after_that(tmp_path) -> None:
    kit = make_kit(tmp_path, jobs={"dashboard.buying:tested": buying.tested})
    event = asked(kit.lake)
    (first,) = asyncio.run(BacktestHandler(kit).test(event))
    assert first.data.months > 24
    assert first.data.why_not == ""
    assert first.data.strategies["spot"].savings_pct == 0
    assert first.data.terms.lot == 60_000
    (again,) = asyncio.run(BacktestHandler(make_kit(tmp_path)).test(event))
    assert again.data == first.data


def test_a_provisional_forecast_is_not_bought_by(tmp_path) -> None:
    kit = make_kit(tmp_path)
    assert asyncio.run(BacktestHandler(kit).test(asked(kit.lake, provisional=True))) == []


def test_a_history_too_short_says_why_there_is_no_backtest(tmp_path) -> None:
    kit = make_kit(tmp_path, jobs={"dashboard.buying:tested": buying.tested})
    event = asked(kit.lake)
    table = get_table(kit.lake, event.data.served)
    short = put_table(kit.lake, "served/short", table.filter(pc.field("session") > AS_OF - 100))
    (told,) = asyncio.run(BacktestHandler(kit).test(asked(kit.lake, served=short)))
    assert told.data.strategies == {}
    assert "procurement" in told.data.why_not


def test_the_basis_of_a_day_holds_until_the_next_and_roll_days_are_those_of_the_market(tmp_path) -> None:
    lake, told = Lake(str(tmp_path / "lake")), tmp_path / "basis.csv"
    half = session_date(5400)
    told.write_text(f"day,basis\n{session_date(5000)},1.5\n{half},-0.5\n")
    basis = read_basis(told)
    plain, _ = decide(lake, forecast(lake, perfect()), Terms())
    paid, _ = decide(lake, forecast(lake, perfect()), Terms(), basis=basis)
    days = np.array([session_date(int(s) + 1) for s in paid.sessions])
    np.testing.assert_allclose(paid.fill - plain.fill, np.where(days < half, 1.5, -0.5))
    assert 0 < paid.rolled.mean() < 0.2


@pytest.mark.parametrize("text", ["day\n2025-01-01\n", "day,basis\nsoon,1\n", "day,basis\n2025-01-01,nan\n", ""])
def test_a_basis_that_cannot_be_read_says_where(tmp_path, text: str) -> None:
    file = tmp_path / "basis.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"basis\.csv"):
        read_basis(file)
