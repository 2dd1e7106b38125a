"""The API for those who look after the models."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.events.promotion import ModelShadowed
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import AS_OF, POINTS, RUN_ID, START, Story
from dashboard.domain.known import Known
from dashboard.handlers import create_api

DRIFT = DriftDetected(
    market="zl", kind="correlation", evidence={"z": 5.1}, action="retrain", run_id=RUN_ID, as_of=AS_OF,
    what="soybean oil no longer follows palm", since=AS_OF,
)  # fmt: skip


def client(events: Iterable[Envelope[Any]] = ()) -> TestClient:
    return TestClient(create_api(Known(Runs(events)), lambda: START + timedelta(days=1), Lake("memory://dashboard")))


def stale(*, resolved: bool = False) -> AlertRaised:
    return AlertRaised(
        market="zl", severity="warning", source="monitor--watch", what="palm is 9 sessions old", where="palm",
        condition="stale.palm", since=AS_OF, hint="mend the feed", resolved=resolved,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["explain/1m", "validate", "validate?source=issued", "backtest", "backtesting"])
def test_what_there_is_not_yet_is_503_with_a_reason(path: str) -> None:
    answer = client().get(f"/api/{path}")
    assert answer.status_code == 503
    assert "`cbi" in answer.json()["detail"]


@pytest.mark.parametrize("horizon", list(Horizon))
def test_why_a_forecast_differs_from_no_change(horizon: Horizon) -> None:
    body = client(Story().whole()).get(f"/api/explain/{horizon}").json()
    assert body["origin"]["run_id"] == RUN_ID
    found = body["explanation"]
    assert found["forecast"] == POINTS[horizon]
    assert found["baseline"] + sum(found["groups"].values()) + found["residual"] == pytest.approx(POINTS[horizon])


def test_scores_of_what_was_served_and_none_of_what_was_issued() -> None:
    served = client(Story().whole())
    body = served.get("/api/validate").json()
    assert (body["source"], body["origin"]["simulated"]) == ("walk_forward", True)
    assert [part["value"] for part in body["horizons"]["1w"]] == ["all", "crisis"]
    assert served.get("/api/validate?source=issued").status_code == 503
    assert served.get("/api/validate?source=guessed").status_code == 422


def test_a_condition_is_open_until_it_is_over() -> None:
    story = Story()
    begun = [*story.whole(), story.tell(stale(), "begun")]
    (alert,) = client(begun).get("/api/monitoring").json()["open"]
    assert (alert["where"], alert["since"], alert["hint"]) == ("palm", AS_OF.isoformat(), "mend the feed")
    over = client([*begun, story.tell(stale(resolved=True), "over")]).get("/api/monitoring").json()
    assert over["open"] == []
    again = client([*begun, story.tell(stale(resolved=True), "over"), story.tell(stale(), "again")])
    assert len(again.get("/api/monitoring").json()["open"]) == 1


def test_the_page_warns_of_a_condition_until_it_is_over() -> None:
    story = Story()
    begun = [*story.whole(), story.tell(stale(), "begun")]
    assert "Palm is 9 sessions old. Mend the feed." in client(begun).get("/").text
    assert "Palm is 9 sessions old" not in client([*begun, story.tell(stale(resolved=True), "over")]).get("/").text


def test_what_happened_once_is_apart() -> None:
    body = client([*Story().whole(), Story("other").alert()]).get("/api/monitoring").json()
    assert body["open"] == []
    assert [alert["what"] for alert in body["single"]] == ["gave up after 5 attempts"]
    assert set(body["newest_rows"]) == {"prices"}


def test_a_retrain_names_the_drift_that_caused_it() -> None:
    story = Story()
    events = story.whole()
    drift = story.tell(DRIFT)
    request = story.tell(DataRequested(market="zl", as_of=AS_OF, refit=True, reason="drift: palm"), cause=drift)
    body = client([*events, drift, request]).get("/api/monitoring").json()
    (retrain,) = body["retrains"]
    assert (retrain["caused_by"], retrain["stage"], retrain["run_id"]) == (drift.id, "ingest", None)
    assert body["drifts"][0]["evidence"] == {"z": 5.1}
    assert body["drifts"][0]["id"] == drift.id


def test_shadows_newest_first() -> None:
    story = Story()
    told = [
        story.tell(
            ModelShadowed(market="zl", run_id=RUN_ID, horizon=horizon, challenger="ridge", champion=None), horizon
        )
        for horizon in (Horizon.W1, Horizon.M1)
    ]
    assert [found["horizon"] for found in client(told).get("/api/shadow").json()] == ["1m", "1w"]
    assert client().get("/api/shadow").json() == []


@pytest.mark.parametrize("known", ["nothing", "everything"])
def test_every_route_answers_as_its_schema_says(known: str) -> None:
    story = Story()
    shadow = ModelShadowed(market="zl", run_id=RUN_ID, horizon=Horizon.W1, challenger="ridge", champion=None)
    events = [*story.whole(), *map(story.tell, (stale(), DRIFT, shadow))]
    served = client(events if known == "everything" else [])
    described = served.get("/openapi.json").json()
    codes = set()
    for path, methods in described["paths"].items():
        assert methods["get"]["description"], path
        asked = {"driver": "palm", "move": 0.05} if "scenario" in path else {}
        answer = served.get(path.replace("{horizon}", "1m").replace("{run_id}", "req-1"), params=asked)
        said = methods["get"]["responses"][str(answer.status_code)]
        schema = said["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": described["components"]})
        codes.add(answer.status_code)
    assert codes == ({200, 503} if known == "everything" else {200, 404, 503})


def test_a_page_that_does_not_exist_and_a_horizon_that_does_not_are_refused() -> None:
    served = client(Story().whole())
    assert served.get("/api/explain/9m").status_code == 422
    assert served.get("/api/buy").status_code == 404
    assert served.post("/api/validate").status_code == 405
