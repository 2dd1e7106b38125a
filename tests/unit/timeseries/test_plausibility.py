from dataclasses import replace

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.plausibility import too_good
from cbi_common.timeseries.scoring import Score, score


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


def scored(**figures: float | None) -> Score:
    return Score(n=50, n_effective=10.0, **figures)


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (scored(r2_no_change=0.2, skill=0.15), []),
        (scored(r2_no_change=0.21), ["1w: R² against no-change 0.21 is above 0.2"]),
        (scored(skill=0.16), ["1w: skill 16% is above 15%"]),
        (
            replace(scored(r2_no_change=0.3, skill=0.2), n_effective=9.9),
            [
                "1w: R² against no-change 0.30 is above 0.2 on 10 independent windows",
                "1w: skill 20% is above 15% on 10 independent windows",
            ],
        ),
    ],
)
def test_a_limit_is_named_with_what_is_above_it(found: Score, reasons: list[str]) -> None:
    assert too_good({Horizon.W1: found}) == reasons


def grown(*mapes: tuple[float | None, float | None]) -> dict[Horizon, Score]:
    rows = zip(reversed(list(Horizon)), reversed(mapes), strict=True)  # the order of the mapping says nothing
    return {horizon: scored(mape=own, no_change_mape=naive) for horizon, (own, naive) in rows}


def test_mape_must_grow_by_half_of_no_changes_from_the_first_horizon_known_to_the_last() -> None:
    none = (None, None)
    assert too_good(grown((0.03, 0.03), (0.9, 0.9), (0.1, 0.1), none, (0.08, 0.13))) == []
    assert too_good(grown(none, (0.03, 0.03), (0.1, 0.1), (0.07, 0.13), none)) == [
        "MAPE grows from 3.0% at 1m to 7.0% at 6m, no-change's from 3.0% to 13.0%"
    ]
    assert too_good(grown((None, 0.03), (0.03, None), (0.02, 0.03), none, (0.021, 0.3))) == [
        "MAPE grows from 2.0% at 3m to 2.1% at 12m, no-change's from 3.0% to 30.0%"
    ]
    assert too_good(grown((0.03, 0.03), none, none, none, none)) == []
