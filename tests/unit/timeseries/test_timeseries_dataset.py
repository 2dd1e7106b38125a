import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, targets


def make(sessions: list[int], seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    numbers = np.array(sessions, dtype=np.int64)
    return Dataset(
        sessions=numbers,
        dates=np.datetime64("2000-01-03") + numbers,
        price=np.exp(rng.normal(3.0, 0.1, len(numbers))),
        features=rng.normal(size=(len(numbers), 2)),
        names=("a", "b"),
    )


SESSIONS = st.lists(st.integers(-50, 300), min_size=1, max_size=80, unique=True).map(sorted)


def naive_targets(sessions: np.ndarray, price: np.ndarray, horizon: int) -> list[float]:
    at = dict(zip(sessions.tolist(), price.tolist(), strict=True))
    return [float(np.log(at[s + horizon] / at[s])) if s + horizon in at else float("nan") for s in at]


@given(SESSIONS, st.integers(1, 60))
def test_targets_equal_a_look_up_by_session(sessions: list[int], horizon: int) -> None:
    data = make(sessions)
    expected = naive_targets(data.sessions, data.price, horizon)
    np.testing.assert_allclose(targets(data.sessions, data.price, horizon), expected, rtol=1e-12)


@given(SESSIONS, st.integers(-60, 320), st.sampled_from(list(Horizon)))
def test_labels_of_a_cut_dataset_have_matured_by_the_cut(sessions: list[int], cut: int, horizon: Horizon) -> None:
    data = make(sessions)
    known = data.until(cut)
    if not len(known.sessions):
        return
    labels = known.targets(horizon)
    assert (known.sessions[~np.isnan(labels)] + horizon.sessions <= cut).all()
    whole = data.targets(horizon)[: len(labels)]
    matured = known.sessions + horizon.sessions <= cut
    np.testing.assert_array_equal(labels[matured], whole[matured])


def test_until_keeps_the_cut_itself_and_nothing_later() -> None:
    known = make([0, 1, 3, 4]).until(3)
    assert known.sessions.tolist() == [0, 1, 3]
    assert len(known.price) == len(known.dates) == len(known.features) == 3


def test_last_and_without() -> None:
    data = make([0, 1, 2, 3])
    assert data.last(2).sessions.tolist() == [2, 3]
    assert data.last(9).sessions.tolist() == [0, 1, 2, 3]
    narrow = data.without(["a", "unknown"])
    assert narrow.names == ("b",)
    np.testing.assert_array_equal(narrow.features[:, 0], data.features[:, 1])


def test_digests_in_one_pass_equal_those_of_each_cut() -> None:
    data = make([0, 1, 3, 4, 7])
    assert data.digests([0, 3, 7]) == [data.until(s).digests([s])[0] for s in (0, 3, 7)]
    assert data.digests([-1]) == [hashlib.sha256(b"a\x1fb").hexdigest()]


def test_digest_sees_every_kind_of_change() -> None:
    data, other = make([0, 1, 2]), make([0, 1, 2], seed=1)
    assert data.digests([2]) != other.digests([2])
    assert data.digests([2]) != data.without(["b"]).digests([2])
    assert data.digests([1]) != data.digests([2])


def test_digests_want_ascending_sessions() -> None:
    with pytest.raises(ValueError, match="ascend"):
        make([0, 1, 2]).digests([2, 0])


def test_what_remains_is_whole() -> None:
    data = make([3, 4, 6, 9, 10])
    for part, rows in ((data.until(6), slice(0, 3)), (data.last(2), slice(3, 5)), (data.last(0), slice(5, 5))):
        for name in ("sessions", "dates", "price", "features"):
            np.testing.assert_array_equal(getattr(part, name), getattr(data, name)[rows])
        assert part.names == data.names
    narrow = data.without(["a"])
    for name in ("sessions", "dates", "price"):
        np.testing.assert_array_equal(getattr(narrow, name), getattr(data, name))


def test_a_digest_is_that_of_the_names_and_the_rows_one_after_the_other() -> None:
    data = make([0, 2, 5])
    rows = b"".join(
        np.array([s, p, *f], dtype=np.float64).tobytes()
        for s, p, f in zip(data.sessions, data.price, data.features, strict=True)
    )
    assert data.digests([5]) == [hashlib.sha256(b"a\x1fb" + rows).hexdigest()]
    assert data.digests([2, 2, 9]) == [*data.digests([2]) * 2, *data.digests([5])]


def test_a_year_ahead_is_labelled_when_the_data_reach_it() -> None:
    data = make(list(range(300)))
    labels = data.targets(Horizon.M12)
    assert np.isfinite(labels).tolist() == [True] * 48 + [False] * 252
    assert labels[47] == pytest.approx(np.log(data.price[299] / data.price[47]))
