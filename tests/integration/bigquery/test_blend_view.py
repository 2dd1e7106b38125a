"""The view that computes the blend anew in BigQuery says what was served."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from math import exp
from pathlib import Path

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady
from cbi_common.storage.result_rows import rows_of
from cbi_common.storage.results import open_results
from cbi_common.testing.bigquery import Emulator
from cbi_common.testing.fakes import envelope
from cbi_common.testing.outcomes import outcomes

PROJECT = "blend-project"
MODELS = ("ridge", "lgbm_dart", "gru_attention", "no_change")


def forecasts() -> ForecastReady:
    """A forecast whose points are the blend of random members, at two horizons; a third is missing."""
    rng = np.random.default_rng(3)
    (ready,) = (event for event in outcomes() if isinstance(event, ForecastReady))
    said = {}
    for horizon, found in ready.forecasts.items():
        weights = dict(zip(MODELS, rng.dirichlet(np.ones(4)).tolist(), strict=True))
        returns = dict(zip(MODELS, [*rng.normal(0, 0.1, 3).tolist(), 0.0], strict=True))
        point = found.current * exp(sum(weights[m] * returns[m] for m in MODELS))
        said[horizon] = found.model_copy(update={"members": weights, "member_returns": returns, "point": point})
    return ready.model_copy(update={"forecasts": said})


@pytest.fixture(scope="module")
def url(emulator: Emulator) -> str:
    place = emulator.url(f"{PROJECT}/cbi_results")
    event = envelope(forecasts(), event_id="event", now=datetime(2025, 5, 17, tzinfo=UTC))
    kind, rows = rows_of(event, simulated=True)
    open_results(place).record(kind, event.id, rows)
    return place


def test_it_equals_what_was_served(emulator: Emulator, url: str) -> None:
    program = [str(Path(sys.executable).parent / "cbi"), "blend-view", "--results", url]
    statement = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    client = emulator.client(PROJECT)
    client.query_and_wait(statement)
    rows = list(client.query_and_wait(f"SELECT horizon, point, blended FROM `{PROJECT}.cbi_results.blend`"))
    assert {row["horizon"] for row in rows} == {Horizon.W1, Horizon.M12}
    assert {row["point"] for row in rows} == {f.point for f in forecasts().forecasts.values()}
    for row in rows:
        assert row["blended"] == pytest.approx(row["point"], rel=1e-12)
