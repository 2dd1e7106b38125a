import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from monitor.domain.chances import at_most, discoveries, two_sided, upper_tail_normal


@pytest.mark.parametrize(("n", "chance"), [(1, 0.5), (26, 0.9), (52, 0.5)])
def test_binomial_tails_are_those_of_scipy(n: int, chance: float) -> None:
    for hits in range(n + 1):
        assert at_most(hits, n, chance) == pytest.approx(binom.cdf(hits, n, chance), abs=1e-12)
        tails = binom.cdf(hits, n, chance), binom.sf(hits - 1, n, chance)
        assert two_sided(hits, n, chance) == pytest.approx(min(1.0, 2 * min(tails)), abs=1e-12)


@pytest.mark.parametrize("z", [-3.0, 0.0, 1.6, 5.0])
def test_the_normal_tail_is_that_of_scipy(z: float) -> None:
    assert upper_tail_normal(z) == pytest.approx(norm.sf(z), rel=1e-9)


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.001, 0.5))
def test_discoveries_are_those_of_the_definition(p_values: list[float], share: float) -> None:
    m = len(p_values)
    ranks = [k for k in range(1, m + 1) if sorted(p_values)[k - 1] <= share * k / m]
    limit = sorted(p_values)[ranks[-1] - 1] if ranks else -1.0
    assert discoveries(p_values, share).sum() == (ranks[-1] if ranks else 0)
    assert all(p <= limit for p, found in zip(p_values, discoveries(p_values, share), strict=True) if found)


def test_discoveries_are_false_as_seldom_as_they_are_said_to_be() -> None:
    rng, shares = np.random.default_rng(1), []
    for _ in range(400):
        false, real = rng.random(40), norm.sf(rng.normal(4, 1, 10))
        found = discoveries([*false, *real], 0.1)
        shares.append(found[:40].sum() / max(found.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.1 * 40 / 50, abs=0.02)
