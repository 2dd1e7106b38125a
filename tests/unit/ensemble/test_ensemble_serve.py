from dataclasses import fields, replace

import numpy as np
import pytest

from cbi_common.timeseries.dataset import targets
from ensemble.domain import serve as module
from ensemble.domain.serve import EWMA, MemberForecasts, history, serve

H, BURN_IN = 21, 3600


def run(panel, members, volatility=None, **options):
    labels = np.full(len(panel.sessions), -1)
    known = history(panel, labels, horizon=H, cutoff_every=5)
    return serve(known, members, volatility or {}, specialists={}, **options)


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
    assert served.members == ("no_change", "bad", "good")
    no_change, bad, good = served.blend.weights[-1]
    assert good > 0.9 > 100 * (bad + no_change)
    np.testing.assert_allclose(served.blend.weights.sum(axis=1), 1.0)
    blended = served.blend.weights[-1] @ np.nan_to_num(served.forecasts[-1])
    assert served.y_hat[-1] == pytest.approx(blended)


def test_no_change_serves_before_members_do_and_until_their_errors_have_matured(panel, members):
    served = run(panel, members)
    first = np.flatnonzero(served.blend.weights[:, 0] < 1.0)[0]
    assert served.history.sessions[first] == BURN_IN + H + (-(BURN_IN + H) % 5)
    assert (served.y_hat[:first] == 0).all()


def test_the_first_cutoff_is_the_first_of_the_grid_and_the_last_is_the_live_one(panel, members):
    served = run(panel, members)
    assert served.history.sessions[0] == 3000
    assert served.history.sessions[-1] == 4507
    assert set(served.history.sessions[:-1] % 5) == {0}


def test_bands_are_there_as_soon_as_no_change_has_left_residuals_enough(panel, members):
    served = run(panel, members)
    known = ~np.isnan(served.band.lower)
    np.testing.assert_array_equal(known, served.band.residuals >= 50)
    assert served.history.sessions[known.argmax()] < BURN_IN
    scored = known & ~np.isnan(served.history.y)
    hits = (served.band.lower <= served.history.y) & (served.history.y <= served.band.upper)
    assert 0.85 < hits[scored].mean() < 0.99


def test_volatility_forecasts_are_mixed_into_what_scales_the_bands(panel, members):
    sessions = np.array([*range(BURN_IN, 4505, 5), 4507])
    loud = MemberForecasts(sessions, np.full(len(sessions), 0.2))
    served, plain = run(panel, members, {"loud": loud}), run(panel, members)
    assert served.volatility == (EWMA, "loud")
    before = served.history.sessions < BURN_IN
    np.testing.assert_array_equal(served.sd[before], plain.sd[before])
    assert served.sd[before.sum()] == pytest.approx(np.sqrt(0.2 * plain.sd[before.sum()]))
    assert served.volatility_weights[-1, 1] < 0.3  # it was wrong all the time


def test_a_longer_horizon_is_no_surer(panel, members):
    plain = run(panel, members)
    width = np.where(np.isnan(plain.band.upper), np.nan, 0.3)
    held = run(panel, members, least_width=width)
    known = ~np.isnan(plain.band.upper)
    assert ((held.band.upper - held.y_hat)[known] >= 0.3 - 1e-12).all()


def test_without_members_no_change_is_served(panel):
    served = run(panel, {})
    assert served.members == ("no_change",)
    assert (served.blend.weights == 1.0).all()
    assert (served.y_hat == 0.0).all()


def test_a_member_that_falls_silent_loses_its_weight_to_the_others(panel, members):
    quiet = replace(members["good"], sessions=members["good"].sessions[:-1], y_hat=members["good"].y_hat[:-1])
    served = run(panel, {**members, "good": quiet})
    assert np.isnan(served.forecasts[-1, 2])
    assert served.blend.weights[-1, 2] == 0.0
    assert served.blend.weights[-1, 0] > 0.99


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
    assert 4000 not in served.history.sessions
    assert np.isnan(served.history.y[served.history.sessions == 3979]).all()
    assert served.history.sessions[-1] == 4507


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
    poisoned, rows = run(noisy, lying), clean.history.sessions <= cut
    assert not np.array_equal(poisoned.band.upper[~rows], clean.band.upper[~rows])
    pairs = {name: (getattr(clean, name), getattr(poisoned, name)) for name in ("y_hat", "sd", "volatility_weights")}
    pairs |= {name: (getattr(clean.blend, name), getattr(poisoned.blend, name)) for name in ("weights", "matured")}
    names = [f.name for f in fields(clean.band) if f.name != "latest"]
    pairs |= {name: (getattr(clean.band, name), getattr(poisoned.band, name)) for name in names}
    return {name for name, (one, two) in pairs.items() if not np.array_equal(one[rows], two[rows], equal_nan=True)}


CUTS = [3700, 4005, 4200, 4333, 4450]


@pytest.mark.parametrize("cut", CUTS)
def test_what_comes_later_changes_nothing_earlier(panel, members, cut):
    assert changed_before(cut, panel, members) == set()


@pytest.mark.parametrize(("planted", "seen"), [("combine", "weights"), ("bands", "lower"), ("mix", "sd")])
def test_outcomes_learned_before_they_matured_are_seen(panel, members, monkeypatch, planted, seen):
    if planted == "combine":
        honest = module.candidate_weights
        early = lambda p, s: honest(replace(p, target_sessions=p.sessions), s)  # noqa: E731
        monkeypatch.setattr(module, "candidate_weights", early)
    elif planted == "bands":
        honest = module.bands
        early = lambda a, sd, y, at, _, **k: honest(a, sd, y, at, at, **k)  # noqa: E731
        monkeypatch.setattr(module, "bands", early)
    else:
        honest = module.mix
        monkeypatch.setattr(module, "mix", lambda c, r, sessions, _: honest(c, r, sessions, sessions))
        quiet = np.array([*range(BURN_IN, 4505, 5), 4507])
        rough = {"rough": MemberForecasts(quiet, np.random.default_rng(2).uniform(0.02, 0.2, len(quiet)))}
        plain = run
        monkeypatch.setitem(globals(), "run", lambda p, m: plain(p, m, rough))
    assert any(seen in changed_before(cut, panel, members) for cut in CUTS)
