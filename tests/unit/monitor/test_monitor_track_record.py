import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from monitor.domain.track_record import Issue, IssuedForecast, matured

SESSIONS = np.arange(100, 130)
PRICE = 50.0 + np.arange(30)


def issue(cutoff: int, current: float | None = None, point: float = 60.0) -> Issue:
    forecast = IssuedForecast(
        target_session=cutoff + 5,
        current=float(PRICE[cutoff - 100]) if current is None else current,
        point=point,
        lower_90=45.0,
        upper_90=70.0,
    )
    return Issue(run_id="r", forecasts={Horizon.W1: forecast})


def test_only_what_has_an_outcome_counts():
    rows = matured([issue(110), issue(105), issue(126)], Horizon.W1, SESSIONS, PRICE)
    assert rows.sessions.tolist() == [105, 110]
    assert rows.target_sessions.tolist() == [110, 115]
    np.testing.assert_allclose(rows.price * np.exp(rows.y), [60.0, 65.0])
    np.testing.assert_allclose(rows.price * np.exp(rows.y_hat), [60.0, 60.0])
    assert rows.coverage() == 1.0


def test_an_issue_of_another_series_is_not_judged_by_this_one():
    assert len(matured([issue(105, current=99.0)], Horizon.W1, SESSIONS, PRICE).y) == 0


def test_other_horizons_and_missing_sessions_do_not_count():
    assert len(matured([issue(105)], Horizon.M1, SESSIONS, PRICE).y) == 0
    keep = SESSIONS != 110
    assert len(matured([issue(105)], Horizon.W1, SESSIONS[keep], PRICE[keep]).y) == 0


@pytest.mark.parametrize("issues", [[], [issue(126)]])
def test_nothing_matured_gives_no_rows(issues):
    rows = matured(issues, Horizon.W1, SESSIONS, PRICE)
    assert len(rows.sessions) == 0
    assert rows.coverage() is None
