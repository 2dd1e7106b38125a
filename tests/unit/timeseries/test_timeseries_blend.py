import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.blend import earned

Arrays = dict[str, np.ndarray]


def history(n: int = 160, m: int = 4, horizon: int = 21, seed: int = 0) -> Arrays:
    """Members of rising noise, one of them worse than no-change, with holes; outcomes unknown at the end."""
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    y = rng.normal(0.0, 0.05, n)
    members = 0.7 * y[:, None] + rng.normal(0.0, 1.0, (n, m)) * np.linspace(0.01, 0.08, m)
    members[rng.random((n, m)) < 0.1] = np.nan
    y[(rng.random(n) < 0.05) | (sessions + horizon > sessions[-1])] = np.nan
    return {"members": members, "y": y, "sessions": sessions, "target_sessions": sessions + horizon}


def naive_weights(data: Arrays, t: int, min_matured: int, min_span: int) -> list[float]:
    """Weights at cutoff row t, from a loop over everything that had matured by then."""
    n, m = data["members"].shape
    now = data["sessions"][t]
    rows = [i for i in range(n) if data["target_sessions"][i] <= now and not np.isnan(data["y"][i])]
    if len(rows) < max(min_matured, 1) or now - data["target_sessions"][rows[0]] < min_span:
        return [0.0] * m
    raw = [0.0] * m
    for j in range(m):
        if np.isnan(data["members"][t, j]):
            continue
        used = [i for i in rows if not np.isnan(data["members"][i, j])]
        errors = [data["members"][i, j] - data["y"][i] for i in used]
        if len(used) < min_matured or sum(map(abs, errors)) > sum(abs(data["y"][i]) for i in used):
            continue
        raw[j] = len(used) / sum(e * e for e in errors)
    return [w / sum(raw) for w in raw] if sum(raw) else raw


@given(st.integers(0, 10**6), st.sampled_from([5, 21, 63]), st.integers(1, 30), st.integers(0, 200))
def test_equals_recomputing_everything_at_every_cutoff(seed: int, horizon: int, matured: int, span: int) -> None:
    data = history(n=60, m=3, horizon=horizon, seed=seed)
    found = earned(**data, min_matured=matured, min_span=span)
    expected = np.array([naive_weights(data, t, matured, span) for t in range(60)])
    np.testing.assert_allclose(found.inverse, expected, rtol=1e-9)
    np.testing.assert_array_equal(found.standing, expected > 0)


@given(st.integers(0, 10**6), st.integers(0, 160))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = history(seed=3)
    poisoned = {name: values.copy() for name, values in data.items()}
    rng = np.random.default_rng(seed)
    known = data["target_sessions"] <= cut * 5
    poisoned["y"][~known] = rng.normal(size=np.count_nonzero(~known))
    poisoned["members"][cut + 1 :] = rng.normal(size=poisoned["members"][cut + 1 :].shape)
    shorter = {name: values[: cut + 1] for name, values in data.items()}
    whole = earned(**data)
    for changed in (earned(**poisoned), earned(**shorter)):
        for name in ("standing", "votes", "inverse"):
            assert getattr(whole, name)[: cut + 1].tobytes() == getattr(changed, name)[: cut + 1].tobytes()


def test_nobody_stands_until_errors_have_matured_for_a_year() -> None:
    data = history(n=200, horizon=21)
    data["y"], data["members"] = np.nan_to_num(data["y"], nan=0.01), np.nan_to_num(data["members"])
    first = int(np.flatnonzero(earned(**data).standing.any(axis=1))[0])
    assert data["sessions"][first] == 275  # the first outcome matured at 21, 252 sessions later is 273
    assert (
        int(np.flatnonzero(earned(**data, min_span=0).standing.any(axis=1))[0]) == 52
    )  # 48 outcomes, 21 sessions late


def test_members_worse_than_no_change_or_too_young_do_not_stand() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(0, 0.05, 160)
    members = np.column_stack([1.5 * actual, 0.75 * actual, 2.5 * actual, 1.1 * actual])
    members[:100, 3] = np.nan
    sessions = np.arange(160, dtype=np.int64) * 5
    found = earned(members[:148], actual[:148], sessions[:148], sessions[:148] + 5)
    np.testing.assert_allclose(found.inverse[-1], [0.2, 0.8, 0.0, 0.0])  # 1 / 0.5^2 to 1 / 0.25^2


def test_no_change_among_the_members_is_not_worse_than_itself() -> None:
    actual = np.random.default_rng(0).normal(0, 0.05, 160)
    sessions = np.arange(160, dtype=np.int64) * 5
    found = earned(np.column_stack([0 * actual, 3.0 * actual]), actual, sessions, sessions + 5)
    np.testing.assert_array_equal(found.inverse[-1], [1.0, 0.0])


def test_a_perfect_member_takes_all() -> None:
    actual = np.random.default_rng(0).normal(0, 0.05, 160)
    sessions = np.arange(160, dtype=np.int64) * 5
    found = earned(np.column_stack([actual, 1.5 * actual]), actual, sessions, sessions + 5)
    np.testing.assert_allclose(found.inverse[-1], [1.0, 0.0], atol=1e-12)


def test_members_without_a_forecast_leave_their_weight_to_the_others() -> None:
    data = history(m=3)
    data["members"] = np.nan_to_num(data["members"][:, :2])
    data["members"][-2, 0] = np.nan
    data["members"][-1] = np.nan
    found = earned(**data)
    np.testing.assert_array_equal(found.inverse[-2], [0.0, 1.0])
    assert not found.inverse[-1].any()


@pytest.mark.parametrize("n", [0, 1])
def test_short_histories_earn_nothing(n: int) -> None:
    assert not earned(**{name: values[:n] for name, values in history().items()}).inverse.any()


def test_time_grows_with_rows_times_members() -> None:
    data = history(n=6000, m=66)
    start = time.process_time()
    earned(**data)
    assert time.process_time() - start < 1.0


def test_the_best_is_who_was_ahead_of_no_change_by_most_on_average() -> None:
    data = history(n=90, m=4, horizon=21, seed=4)
    found = earned(**data, min_matured=5, min_span=50)
    assert found.standing.sum() > 100
    for t in range(90):
        rows = [i for i in range(90) if data["target_sessions"][i] <= data["sessions"][t]]
        lead = {}
        for j in np.flatnonzero(found.standing[t]).tolist():
            used = [i for i in rows if np.isfinite(data["y"][i] + data["members"][i, j])]
            ahead = [abs(data["y"][i]) - abs(data["members"][i, j] - data["y"][i]) for i in used]
            lead[j] = sum(ahead) / len(ahead)
        best = max(lead, key=lambda j: lead[j]) if lead else None
        assert found.best[t].tolist() == [float(j == best) for j in range(4)]


def test_members_that_err_alike_share_one_vote() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(0, 0.05, 200)
    own = 0.7 * y + rng.normal(0, 0.02, (2, 200))
    sessions = np.arange(200, dtype=np.int64) * 5
    found = earned(np.column_stack([own[0], own[0] + 1e-6, own[1]]), y, sessions, sessions + 5)
    assert found.votes[-1].tolist() == [0.5, 0.5, 1.0]
    squares = [np.mean((column[:199] - y[:199]) ** 2) for column in (own[0], own[0] + 1e-6, own[1])]
    raw = np.array([0.5, 0.5, 1.0]) / squares
    np.testing.assert_allclose(found.inverse[-1], raw / raw.sum())


def test_what_is_asked_by_default_is_a_year_and_48_outcomes() -> None:
    data = history(n=200, horizon=5)
    for name in ("standing", "votes", "inverse", "best"):
        one, other = (getattr(found, name) for found in (earned(**data), earned(**data, min_matured=48, min_span=252)))
        assert one.tobytes() == other.tobytes()


def test_weights_do_not_depend_on_the_size_of_the_moves() -> None:
    data = history()
    large = {**data, "members": 1000.0 * data["members"], "y": 1000.0 * data["y"]}
    np.testing.assert_allclose(earned(**large).inverse, earned(**data).inverse, rtol=1e-9)


def test_the_best_member_is_the_one_ahead_by_most_per_outcome() -> None:
    """The newcomer gains twice as much on each outcome, on a third of the outcomes."""
    actual = np.random.default_rng(0).normal(0, 0.05, 300)
    sessions = np.arange(300, dtype=np.int64) * 5
    newcomer = 0.9 * actual
    newcomer[:200] = np.nan
    found = earned(np.column_stack([0.45 * actual, newcomer]), actual, sessions, sessions + 5)
    np.testing.assert_array_equal(found.best[-1], [0.0, 1.0])
