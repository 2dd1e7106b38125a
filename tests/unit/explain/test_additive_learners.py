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
        row = dict(zip(view.names, view.features[-1].tolist(), strict=True))
        names, shares, expected = ADDITIVE[learner.name](artifact, row)
        assert set(names) <= set(DATA.names)
        forecast = float(learner.forecast(model, view)[0])
        assert shares.sum() + expected == pytest.approx(forecast, abs=1e-7)
        moved = max(moved, float(np.abs(shares).max()))
    assert moved > 1e-5


def test_a_missing_value_is_part_of_its_feature(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    unknown = DATA.features[-1:].copy()
    unknown[0, 1] = np.nan
    row = dict(zip(DATA.names, unknown[0].tolist(), strict=True))
    _, shares, expected = ADDITIVE[learner.name](artifact, row)
    view = replace(DATA.last(1), features=unknown)
    assert shares.sum() + expected == pytest.approx(float(learner.forecast(learner.load(artifact), view)[0]), abs=1e-7)


def test_a_column_that_is_gone_is_named(fitted: tuple[Any, bytes]) -> None:
    learner, artifact = fitted
    with pytest.raises(DataError, match="no column 'x0'"):
        ADDITIVE[learner.name](artifact, dict.fromkeys(DATA.names[1:], 0.0))
