"""A few days of two simulated markets: the faults are noticed, and nothing is before; the benchmark has the numbers."""

from datetime import date

import numpy as np
import pytest

from cbi_common.markets.files import load_market
from cbi_common.markets.simulation.faults import FROZEN, PARTED, SHIFTED, TURMOIL
from cbi_common.markets.simulation.series import simulate
from cbi_common.timeseries.calendar import session_numbers
from cbi_common.timeseries.panel import as_known
from monitor.domain.correlation import find_broken
from monitor.domain.feature_drift import find_drifted, judged_columns, references
from monitor.domain.frozen import find_frozen
from monitor.domain.market_view import MarketView
from monitor.domain.unseen import find_unseen
from monitor.rules_file import load_rules

DAY = date(2024, 6, 3)
MARKET, RULES = load_market("zl"), load_rules()
DAILY = [spec.name for spec in MARKET.series if spec.frequency == "session"]
TOGETHER = ((SHIFTED, DAY), (FROZEN, DAY), (TURMOIL, DAY))


def seen(seed: int, faults) -> MarketView:
    found = simulate(3000, seed, faults=faults)
    sessions, _ = session_numbers(found.dates)
    series = {}
    for name in DAILY:
        spec, (days, values) = MARKET.by_name[name], found.series[name]
        at, _ = session_numbers(days)
        series[name] = as_known(
            sessions, at, values, release_lag_sessions=0, staleness_sessions=spec.staleness_sessions
        )
    return MarketView(sessions, found.dates, series["zl"], series, {})


def noticed(view: MarketView) -> set[str]:
    columns = judged_columns(view, DAILY)
    known = references(view, columns, RULES.feature)
    return {
        finding.condition
        for finding in (
            *find_frozen(view, DAILY, RULES.frozen),
            *find_broken(view, MARKET.correlation_pairs, RULES.correlation),
            *find_unseen(view, MARKET.regime.fear, RULES.unseen),
            *find_drifted(view, columns, known, {name: name.split()[0] for name in columns}, RULES.feature),
        )
    }


@pytest.mark.parametrize("seed", [201, 202])
def test_each_fault_is_noticed_in_its_time_and_nothing_before(seed: int) -> None:
    view = seen(seed, TOGETHER)
    begin = int(np.searchsorted(view.dates, np.datetime64(DAY)))
    assert noticed(view.until(begin)) == set()
    assert noticed(view.until(begin + 3)) == {"frozen/ho"}
    assert {"frozen/ho", "feature/usd_brl"} <= noticed(view.until(begin + 21))
    assert "regime/unseen" in noticed(view.until(begin + 42))
    assert "correlation/zl-zs" in noticed(seen(seed, ((PARTED, DAY),)).until(begin + 60))
