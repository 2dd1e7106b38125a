import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.redundancy import MIN_ROWS, SAME, STEP, duplicates, votes


def errors_of(n=120, seed=0):
    rng = np.random.default_rng(seed)
    base, other = rng.normal(size=(2, n))
    return np.column_stack([base, base + 0.01 * rng.normal(size=n), other, 2 * other + 0.5, rng.normal(size=n)])


def test_members_that_err_alike_are_one_opinion():
    errors = errors_of()
    assert duplicates(errors) == ((0, 1), (2, 3))
    everyone = np.ones((1, 5), dtype=bool)
    assert votes(errors, np.array([120]), everyone)[0].tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]


def test_who_earned_nothing_takes_no_vote():
    standing = np.array([[True, False, True, True, False]])
    assert votes(errors_of(), np.array([120]), standing)[0].tolist() == [1.0, 1.0, 0.5, 0.5, 1.0]


@given(st.integers(0, 50))
def test_against_a_naive_loop(seed):
    rng = np.random.default_rng(seed)
    errors = np.where(rng.random((90, 4)) < 0.2, np.nan, errors_of(90, seed)[:, :4])
    matured = np.array([0, 50, 70, 90])
    for given_rows, found in zip(matured, votes(errors, matured, np.ones((4, 4), dtype=bool)), strict=True):
        known = given_rows // STEP * STEP
        groups = {i: {i} for i in range(4)}
        for i in range(4):
            for j in range(4):
                both = ~np.isnan(errors[:known, i]) & ~np.isnan(errors[:known, j])
                if i != j and both.sum() >= MIN_ROWS:
                    r = np.corrcoef(errors[:known][both, i], errors[:known][both, j])[0, 1]
                    if r > SAME:
                        merged = groups[i] | groups[j]
                        for k in merged:
                            groups[k] = merged
        assert found.tolist() == [1 / len(groups[i]) for i in range(4)]


def test_what_matures_later_changes_no_earlier_vote():
    errors = errors_of()
    later = errors.copy()
    later[80:] = np.random.default_rng(9).normal(size=later[80:].shape)
    matured = np.arange(81)
    everyone = np.ones((81, 5), dtype=bool)
    assert (votes(errors, matured, everyone) == votes(later, matured, everyone)).all()


def test_too_few_rows_say_nothing():
    assert duplicates(errors_of(MIN_ROWS - 1)) == ()
