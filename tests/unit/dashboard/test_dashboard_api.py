import csv
import io
from collections.abc import Iterable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.past import days_of
from cbi_common.testing.story import POINTS, RUN_ID, START, Story, exported, forecast_ready
from dashboard.domain.answers import GivenUp
from dashboard.domain.known import Known
from dashboard.handlers import VERSION, create_api


def client(events: Iterable[Envelope[object]] = ()) -> TestClient:
    return TestClient(create_api(Known(Runs(events)), lambda: START + timedelta(days=1), Lake("memory://dashboard")))


@pytest.mark.parametrize("path", ["predictions", "forecast/1m", "regime/current", "quality"])
def test_nothing_yet_is_503_with_a_reason(path: str) -> None:
    answer = client().get(f"/api/{path}")
    assert answer.status_code == 503
    assert "cbi run" in answer.json()["detail"]


def test_a_rejected_first_run_gives_no_forecast_but_its_quality() -> None:
    served = client(Story().rejection())
    assert "text_in_numbers" in served.get("/api/predictions").json()["detail"]
    quality = served.get("/api/quality").json()
    assert quality["tables"]["prices"]["verdict"] == "rejected"
    assert "close holds text" in quality["rejection"]


@pytest.mark.parametrize("horizon", list(Horizon))
def test_a_forecast_with_its_origin(horizon: Horizon) -> None:
    answer = client(Story().whole()).get(f"/api/forecast/{horizon}")
    assert answer.status_code == 200
    body = answer.json()
    assert body["prediction"]["point"] == POINTS[horizon]
    assert body["origin"]["run_id"] == RUN_ID
    assert (body["origin"]["age_days"], body["origin"]["simulated"], body["origin"]["newer_run"]) == (4, True, None)


def test_an_unknown_horizon_is_the_callers_mistake() -> None:
    assert client(Story().whole()).get("/api/forecast/9m").status_code == 422


def test_a_missing_horizon_is_503_with_the_ensembles_reason() -> None:
    story = Story()
    served = client([story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M6))])
    answer = served.get("/api/forecast/6m")
    assert answer.status_code == 503
    assert "no member has matured cutoffs" in answer.json()["detail"]
    assert served.get("/api/forecast/1m").status_code == 200


def test_older_numbers_name_the_newer_attempt() -> None:
    newer = Story("newer", START + timedelta(hours=1)).whole()[:4]
    origin = client([*Story().whole(), *newer]).get("/api/predictions").json()["origin"]
    assert origin["request_id"] == "req-1"
    assert origin["newer_run"] == {"request_id": "newer", "stage": "training", "reason": ""}


def test_the_regime_and_the_runs() -> None:
    served = client(Story().whole(failed="dense"))
    assert served.get("/api/regime/current").json()["state"] == "normal"
    (run,) = served.get("/api/runs").json()
    assert (run["planned"], run["trained"], run["failed"], run["stage"]) == (10, 5, 5, "done")


def test_lineage_of_a_run() -> None:
    served = client(Story().whole())
    found = served.get(f"/api/runs/{RUN_ID[:8]}").json()
    lineage = {event["type"]: event for event in found["lineage"]}
    assert lineage["data.exported"]["causationid"] == "req-1"
    assert lineage["forecast.ready"]["objects"][0]["key"] == "manifest/1"
    assert found["report"]["run_id"] == RUN_ID
    assert served.get("/api/runs/nobody").status_code == 404


def lived(days: int = 2) -> TestClient:
    lake = Lake("memory://dashboard-api")
    known = Known(Runs(days_of(lake, days)))
    return TestClient(create_api(known, lambda: START + timedelta(days=1), lake))


def sheet(served: TestClient, path: str) -> list[dict[str, str]]:
    answer = served.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.mark.parametrize(
    "path",
    [
        "predictions", "forecast/1m", "regime/current", "market/intelligence", "explain/3m", "monitoring/performance",
        "track/1w",
    ],
)  # fmt: skip
def test_a_spreadsheet_names_run_day_and_simulation_in_every_row(path: str) -> None:
    served = lived()
    rows = sheet(served, f"/api/{path}.csv")
    assert rows
    assert rows == sheet(served, f"/api/{path}?format=csv")
    for row in rows:
        assert (row["market"], row["unit"], row["as_of"], row["simulated"]) == ("zl", "¢/lb", "2025-05-16", "True")
        assert row["run_id"]


def test_a_spreadsheet_has_the_numbers_of_the_answer() -> None:
    served = lived()
    rows = {row["horizon"]: row for row in sheet(served, "/api/predictions.csv")}
    for prediction in served.get("/api/predictions").json()["predictions"]:
        row = rows[prediction["horizon"]]
        assert float(row["point"]) == prediction["point"]
        assert (row["dm_p"], row["signal"]) == (str(prediction["dm_p"]), prediction["signal"])
    shares = sheet(served, "/api/explain/1m.csv")
    by_level = {level: [float(r["share"]) for r in shares if r["level"] == level] for level in ("group", "residual")}
    ends = {r["level"]: float(r["share"]) for r in shares if r["level"] in ("baseline", "forecast")}
    assert ends["baseline"] + sum(map(sum, by_level.values())) == pytest.approx(ends["forecast"])


def test_a_text_that_looks_like_a_formula_is_none() -> None:
    data = forecast_ready()
    forecasts = {h: f.model_copy(update={"note": "=HYPERLINK(1)"}) for h, f in data.forecasts.items()}
    story = Story()
    told = [story.request, story.tell(exported()), story.tell(data.model_copy(update={"forecasts": forecasts}))]
    assert {row["note"] for row in sheet(client(told), "/api/predictions.csv")} == {"'=HYPERLINK(1)"}


def test_the_market_in_one_answer() -> None:
    body = lived().get("/api/market/intelligence").json()
    assert (body["price"], body["state"]) == (49.0, "normal")
    month = next(outlook for outlook in body["outlook"] if outlook["horizon"] == "1m")
    assert month["expected_move"] == pytest.approx(51 / 49 - 1)
    assert month["annual_volatility"] == pytest.approx(0.07 * (252 / 21) ** 0.5)
    assert month["at_risk"] == pytest.approx(56 / 49 - 1)
    assert month["groups"]["palm"] == pytest.approx(1.5)


def test_how_good_the_forecasts_have_been() -> None:
    body = lived().get("/api/monitoring/performance").json()
    assert {scores["source"] for scores in body["scores"]} == {"walk_forward"}
    assert [scores["horizon"] for scores in body["scores"]] == list(Horizon)
    assert body["scores"][0]["slices"][0]["metrics"]["no_change_mape"] == 0.034


def test_every_forecast_and_what_came_of_it() -> None:
    rows = lived().get("/api/track/1m").json()["rows"]
    open_rows = [row for row in rows if row["actual"] is None]
    assert len(rows) == 260
    assert open_rows == rows[-len(open_rows) :]
    assert all(row["target_date"] > "2025-05-01" for row in open_rows)
    assert [row["cutoff"] for row in rows] == sorted(row["cutoff"] for row in rows)


def test_the_version_of_the_routes_is_said() -> None:
    assert client().get("/openapi.json").json()["info"]["version"] == VERSION


def test_a_malformed_event_is_on_the_page_with_its_reason() -> None:
    known = Known(Runs())
    served = TestClient(create_api(known, lambda: START, Lake("memory://dashboard")))
    assert served.get("/api/dead").json() == []
    reason = "data.exported: not JSON; publish a JSON object"
    letter = GivenUp(number=1, published=START, subject="data.exported", consumer="regime--detect", reason=reason)
    known.give_up((letter,))
    assert served.get("/api/dead").json()[0]["reason"] == reason
    assert reason in served.get("/").text


def test_the_events_are_described_from_the_code() -> None:
    document = client().get("/asyncapi.json").json()
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert {"data.requested", "data.exported", "model.trained", "forecast.ready"} <= addresses
