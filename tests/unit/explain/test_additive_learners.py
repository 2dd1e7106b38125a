"""What is said of a forecast adds up to it, for every learner whose forecast is a sum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from explain.domain.row import Rows
from explain.jobs import ADDITIVE
from trainer_cpu.jobs import LEARNERS

DATA = random_dataset(900, columns=5)
SPECS = {spec.learner: spec for spec in load_catalogue().models}


@pytest.fixture(params=sorted(ADDITIVE))
def fitted(request: pytest.FixtureRequest) -> tuple[Any, bytes]:
    learner = next(learner for learner in LEARNERS if learner.name == request.param)
    return learner, learner.fit(DATA, (Horizon.M1,), SPECS[learner.name].params, np.ones(900), 1)


def test_contributions_and_expectation_sum_to_the_forecast(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    model, moved = learner.load(artifact), 0.0
    for end in (300, 500, 899):
        view = DATA.until(end)
        names, shares, expected = ADDITIVE[learner.name](artifact, Rows.at(view, view.sessions[-1:]))
        assert set(names) <= set(DATA.names)
        forecast = float(learner.forecast(model, view)[0])
        assert shares.sum() + expected[0] == pytest.approx(forecast, abs=1e-7)
        moved = max(moved, float(np.abs(shares).max()))
    assert moved > 1e-5


def test_a_missing_value_is_part_of_its_feature(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    unknown = DATA.features[-1:].copy()
    unknown[0, 1] = np.nan
    _, shares, expected = ADDITIVE[learner.name](artifact, Rows(DATA.names, unknown))
    view = replace(DATA.last(1), features=unknown)
    forecast = float(learner.forecast(learner.load(artifact), view)[0])
    assert shares.sum() + expected[0] == pytest.approx(forecast, abs=1e-7)


def test_a_column_that_is_gone_is_named(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    with pytest.raises(DataError, match="no column 'x0'"):
        ADDITIVE[learner.name](artifact, Rows(DATA.names[1:], DATA.features[:1, 1:]))


def test_many_rows_are_split_as_each_of_them(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    sessions = DATA.sessions[[100, 400, 700]]
    _, together, expected = ADDITIVE[learner.name](artifact, Rows.at(DATA, sessions))
    for row, session in enumerate(sessions):
        _, alone, mean = ADDITIVE[learner.name](artifact, Rows.at(DATA, np.array([session])))
        np.testing.assert_allclose(together[row], alone[0], rtol=0, atol=1e-12)
        assert expected[row] == mean[0]
