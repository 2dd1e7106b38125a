from collections.abc import Iterable
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import POINTS, RUN_ID, START, Story, exported, forecast_ready
from dashboard.domain.answers import GivenUp
from dashboard.domain.known import Known
from dashboard.handlers import create_api


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


class Outline(HTMLParser):
    """Checks that elements close in their order and collects addresses and header cells."""

    void = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.headers: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in self.void:
            self.open.append(tag)
        self.addresses += [found[name] or "" for name in ("href", "src") if name in found]
        if tag == "th":
            self.headers.append(found.get("scope") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing_from_elsewhere() -> None:
    answer = client(Story().whole()).get("/")
    outline = Outline(answer.text)
    assert outline.open == []
    assert outline.addresses
    assert all(address.startswith("/") for address in outline.addresses)
    assert set(outline.headers) == {"col", "row"}
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "url(" not in answer.text


def test_simulated_data_is_marked_on_the_page_and_real_data_is_not() -> None:
    def seen(*, simulated: bool) -> str:
        text = client(Story(simulated=simulated).whole()).get("/").text
        return text[text.index("<title>") : text.index("<style>")] + text[text.index("<body>") :]

    assert "(simulated)" in seen(simulated=True)
    assert "Simulated data" in seen(simulated=True)
    assert "imulated" not in seen(simulated=False)


def test_text_from_events_is_escaped() -> None:
    story = Story()
    hostile = AlertRaised(severity="critical", source="x", what="<script>alert(1)</script>")
    text = client([*story.whole(), story.tell(hostile)]).get("/").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_empty_page_says_how_to_begin() -> None:
    answer = client().get("/")
    assert answer.status_code == 200
    assert "cbi run" in answer.text
    assert Outline(answer.text).open == []


def test_a_malformed_event_is_on_the_page_with_its_reason() -> None:
    known = Known(Runs())
    served = TestClient(create_api(known, lambda: START, Lake("memory://dashboard")))
    assert served.get("/api/dead").json() == []
    reason = "data.exported: not JSON; publish a JSON object"
    known.given_up = (
        GivenUp(number=1, published=START, subject="data.exported", consumer="regime--detect", reason=reason),
    )
    assert served.get("/api/dead").json()[0]["reason"] == reason
    assert reason in served.get("/").text


def test_the_events_are_described_from_the_code() -> None:
    document = client().get("/asyncapi.json").json()
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert {"data.requested", "data.exported", "model.trained", "forecast.ready"} <= addresses
