import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.blend import inverse_error_weights, serve

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
    blend = serve(**data, min_matured=matured, min_span=span)
    expected = np.array([naive_weights(data, t, matured, span) for t in range(60)])
    np.testing.assert_allclose(blend.weights, expected, rtol=1e-9)
    served = np.nansum(expected * np.nan_to_num(data["members"]), axis=1)
    np.testing.assert_allclose(blend.y_hat, served, rtol=1e-9, atol=1e-15)


@given(st.integers(0, 10**6), st.integers(0, 160))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = history(seed=3)
    poisoned = {name: values.copy() for name, values in data.items()}
    rng = np.random.default_rng(seed)
    known = data["target_sessions"] <= cut * 5
    poisoned["y"][~known] = rng.normal(size=np.count_nonzero(~known))
    poisoned["members"][cut + 1 :] = rng.normal(size=poisoned["members"][cut + 1 :].shape)
    shorter = {name: values[: cut + 1] for name, values in data.items()}
    whole = serve(**data)
    for changed in (serve(**poisoned), serve(**shorter)):
        for name in ("y_hat", "weights", "no_change", "matured"):
            assert getattr(whole, name)[: cut + 1].tobytes() == getattr(changed, name)[: cut + 1].tobytes()


def test_weights_are_a_distribution_and_no_change_takes_all_or_nothing() -> None:
    blend = serve(**history())
    assert (blend.weights >= 0).all()
    np.testing.assert_allclose(blend.weights.sum(axis=1) + blend.no_change, 1.0)
    assert set(blend.no_change) == {0.0, 1.0}
    assert (blend.y_hat[blend.no_change == 1] == 0).all()


def test_no_change_serves_until_errors_have_matured_for_a_year() -> None:
    data = history(n=200, horizon=21)
    data["y"], data["members"] = np.nan_to_num(data["y"], nan=0.01), np.nan_to_num(data["members"])
    first = int(np.flatnonzero(serve(**data).no_change == 0)[0])
    assert data["sessions"][first] == 275  # the first outcome matured at 21, 252 sessions later is 273
    assert serve(**data).matured[first] >= 48
    assert serve(**data, min_span=0).matured[np.flatnonzero(serve(**data, min_span=0).no_change == 0)[0]] == 48


def test_members_worse_than_no_change_or_too_young_weigh_nothing() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(0, 0.05, 100)
    errors = np.column_stack([0.5 * actual, -0.25 * actual, 1.5 * actual, 0.1 * actual])
    errors[47:, 3] = np.nan
    weights = inverse_error_weights(errors, -actual)
    assert weights is not None
    np.testing.assert_allclose(weights, [0.2, 0.8, 0.0, 0.0])  # 1 / 0.5^2 to 1 / 0.25^2


def test_no_change_among_the_members_is_not_worse_than_itself() -> None:
    actual = np.random.default_rng(0).normal(0, 0.05, 60)
    weights = inverse_error_weights(np.column_stack([-actual, 2.0 * actual]), -actual)
    np.testing.assert_array_equal(weights, [1.0, 0.0])


def test_no_member_earning_a_weight_means_no_change() -> None:
    actual = np.random.default_rng(0).normal(0, 0.05, 60)
    assert inverse_error_weights(2.0 * actual[:, None], -actual) is None
    assert inverse_error_weights(np.empty((0, 2)), np.empty(0)) is None


def test_a_perfect_member_takes_all() -> None:
    actual = np.random.default_rng(0).normal(0, 0.05, 60)
    weights = inverse_error_weights(np.column_stack([0.0 * actual, 0.5 * actual]), -actual)
    np.testing.assert_allclose(weights, [1.0, 0.0], atol=1e-12)


def test_members_without_a_forecast_leave_their_weight_to_the_others() -> None:
    data = history(m=3)
    data["members"] = np.nan_to_num(data["members"][:, :2])
    data["members"][-2, 0] = np.nan
    data["members"][-1] = np.nan
    blend = serve(**data)
    np.testing.assert_array_equal(blend.weights[-2], [0.0, 1.0])
    assert blend.no_change[-1] == 1.0
    assert blend.y_hat[-1] == 0.0


@pytest.mark.parametrize("n", [0, 1])
def test_short_histories_serve_no_change(n: int) -> None:
    data = {name: values[:n] for name, values in history().items()}
    assert serve(**data).no_change.tolist() == [1.0] * n


def test_time_grows_with_rows_times_members() -> None:
    data = history(n=6000, m=66)
    start = time.process_time()
    serve(**data)
    assert time.process_time() - start < 1.0
