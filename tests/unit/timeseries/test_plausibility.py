import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.plausibility import too_good
from cbi_common.timeseries.scoring import score


def scores_of(leak: float, noise: float = 0.0):
    """Scores of a forecast that knows the share ``leak`` of every outcome."""
    rng = np.random.default_rng(1)
    found = {}
    for horizon in Horizon:
        n, h = 400, horizon.sessions
        y = rng.normal(0, 0.014 * np.sqrt(h), n)
        y_hat = leak * y + noise * rng.normal(0, 0.014 * np.sqrt(h), n)
        sessions = np.arange(n) * max(5, h)
        found[horizon] = score(sessions, sessions + h, np.full(n, 40.0), y_hat, y, horizon_sessions=h, step=max(5, h))
    return found


def test_no_change_and_an_honest_model_pass():
    assert too_good(scores_of(0.0)) == []
    assert too_good(scores_of(0.03, noise=0.1)) == []


def test_a_forecast_that_knows_a_fifth_of_the_outcome_is_named_at_every_horizon():
    reasons = too_good(scores_of(0.2))
    assert [reason.split(":")[0] for reason in reasons if "R²" in reason] == [str(h) for h in Horizon]


def test_a_flat_mape_is_named_though_no_horizon_stands_out():
    scores = scores_of(0.0)
    known = scores_of(0.9)
    reasons = too_good({Horizon.W1: scores[Horizon.W1], Horizon.M12: known[Horizon.M12]})
    assert any("MAPE grows from" in reason for reason in reasons)
    assert too_good({Horizon.W1: scores[Horizon.W1]}) == []


def test_few_independent_windows_are_said():
    sessions = 5 * np.arange(60)
    y = np.random.default_rng(0).normal(0, 0.2, 60)
    found = score(sessions, sessions + 252, np.full(60, 40.0), 0.5 * y, y, horizon_sessions=252, step=5)
    assert all("on 2 independent windows" in reason for reason in too_good({Horizon.M12: found}))
    assert too_good({Horizon.M12: found})
