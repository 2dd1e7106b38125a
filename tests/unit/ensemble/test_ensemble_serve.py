from dataclasses import fields, replace

import numpy as np
import pytest

from cbi_common.timeseries.dataset import targets
from cbi_common.timeseries.volatility import ewma_variance, forecast_sd
from ensemble.domain import serve as module
from ensemble.domain.serve import MemberForecasts, serve

H, BURN_IN = 21, 3600


def run(panel, members, cutoffs=None):
    cutoffs = cutoffs or [*range(BURN_IN, 4505, 5), 4507]
    variance = ewma_variance(panel.sessions, panel.price)
    return serve(panel, variance, members, horizon=H, cutoffs=cutoffs, cutoff_every=5)


@pytest.fixture
def members(panel):
    sessions = np.array([*range(BURN_IN, 4505, 5), 4507])
    y = np.nan_to_num(targets(panel.sessions, panel.price, H)[np.searchsorted(panel.sessions, sessions)])
    rng = np.random.default_rng(1)
    return {
        "good": MemberForecasts(sessions, 0.7 * y + rng.normal(0, 0.005, len(y))),
        "bad": MemberForecasts(sessions, rng.normal(0, 0.2, len(y))),
    }


def test_the_good_member_gets_the_weight(panel, members):
    served = run(panel, members)
    assert served.members == ("bad", "good", "no_change")
    bad, good, no_change = served.weights[-1]
    assert bad == 0.0
    assert good > 5 * no_change > 0.0
    np.testing.assert_allclose(served.weights.sum(axis=1), 1.0)
    blended = served.weights[-1] @ np.nan_to_num(served.forecasts[-1])
    assert served.y_hat[-1] == pytest.approx(blended)


def test_no_change_serves_until_errors_have_matured_for_a_year(panel, members):
    served = run(panel, members)
    first = np.flatnonzero(served.weights[:, 1] > 0)[0]
    assert served.sessions[first] == BURN_IN + H + 252 + (-(BURN_IN + H + 252) % 5)
    assert (served.y_hat[:first] == 0).all()
    assert (served.weights[:first, 2] == 1.0).all()


def test_first_band_is_made_of_no_change_residuals_of_the_earlier_history(panel, members):
    served = run(panel, members)
    variance = ewma_variance(panel.sessions, panel.price)
    residuals = []
    for row, session in enumerate(panel.sessions):
        later = row + H
        if session % 5 == 0 and session + H <= BURN_IN and not np.isnan(variance[row]):
            residuals.append(np.log(panel.price[later] / panel.price[row]) / forecast_sd(variance[row : row + 1], H)[0])
    assert served.band.residuals[0] == len(residuals)
    assert served.band.lower[0] < 0 < served.band.upper[0]
    inside = [served.band.lower[0] <= r * served.sd[0] <= served.band.upper[0] for r in residuals]
    assert 0.85 < np.mean(inside) < 0.97


def test_outcomes_are_the_live_forecast_plus_scaled_residuals(panel, members):
    served = run(panel, members)
    assert len(served.outcomes) == served.band.residuals[-1]
    above = (served.outcomes > 0).mean()
    assert served.band.probability_up[-1] == pytest.approx(above, abs=0.01)


def test_without_members_no_change_is_served(panel):
    served = run(panel, {})
    assert served.members == ("no_change",)
    assert (served.weights == 1.0).all()
    assert (served.y_hat == 0.0).all()


def test_a_member_that_falls_silent_loses_its_weight_to_the_others(panel, members):
    quiet = replace(members["good"], sessions=members["good"].sessions[:-1], y_hat=members["good"].y_hat[:-1])
    served = run(panel, {**members, "good": quiet})
    assert np.isnan(served.forecasts[-1, 1])
    assert served.weights[-1].tolist() == [0.0, 0.0, 1.0]


def test_cutoffs_that_the_panel_lacks_are_left_out(panel, members):
    keep = panel.sessions != 4000
    holed = replace(
        panel,
        sessions=panel.sessions[keep],
        dates=panel.dates[keep],
        price=panel.price[keep],
        features=panel.features[keep],
    )
    served = run(holed, members)
    assert 4000 not in served.sessions
    assert np.isnan(served.y[served.sessions == 3979]).all()
    assert served.sessions[-1] == 4507


def changed_before(cut, panel, members) -> set[str]:
    """Names of what differs up to the cutoff when everything after it is noise."""
    clean = run(panel, members)
    rng = np.random.default_rng(cut)
    later = panel.sessions > cut
    noisy = replace(panel, price=np.where(later, rng.uniform(10, 90, len(later)), panel.price))
    lying = {
        name: replace(m, y_hat=np.where(m.sessions > cut, rng.normal(0, 1, len(m.y_hat)), m.y_hat))
        for name, m in members.items()
    }
    poisoned, rows = run(noisy, lying), clean.sessions <= cut
    assert not np.array_equal(poisoned.band.upper[~rows], clean.band.upper[~rows])
    pairs = {name: (getattr(clean, name), getattr(poisoned, name)) for name in ("y_hat", "weights", "sd", "matured")}
    pairs |= {f.name: (getattr(clean.band, f.name), getattr(poisoned.band, f.name)) for f in fields(clean.band)}
    return {name for name, (one, two) in pairs.items() if not np.array_equal(one[rows], two[rows], equal_nan=True)}


CUTS = [3700, 4005, 4200, 4333, 4450]


@pytest.mark.parametrize("cut", CUTS)
def test_what_comes_later_changes_nothing_earlier(panel, members, cut):
    assert changed_before(cut, panel, members) == set()


@pytest.mark.parametrize(("planted", "seen"), [("blend", "weights"), ("bands", "lower")])
def test_outcomes_learned_before_they_matured_are_seen(panel, members, monkeypatch, planted, seen):
    if planted == "blend":
        honest = module.blend.serve
        monkeypatch.setattr(module.blend, "serve", lambda f, y, sessions, _: honest(f, y, sessions, sessions))
    else:
        honest = module.bands
        monkeypatch.setattr(module, "bands", lambda y_hat, sd, y, sessions, _: honest(y_hat, sd, y, sessions, sessions))
    assert any(seen in changed_before(cut, panel, members) for cut in CUTS)
