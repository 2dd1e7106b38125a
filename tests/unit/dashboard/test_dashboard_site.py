"""Every page as a whole: it loads nothing from elsewhere, runs no script of its own, and leads where it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.card import SIMULATED, card_key
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.outline import Outline
from cbi_common.testing.past import days_of
from cbi_common.testing.story import START, Story
from dashboard.adapters.guard import Access, Guard
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import PAGES
from dashboard.handlers import create_api

PATHS = [page.path for page in PAGES]
ALL = [*PATHS, "/models/card", "/runs/req-0002", "/login", "/why?horizon=6m&unit=gal", "/nowhere"]


def site(events: Iterable[Envelope[Any]] = (), lake: Lake | None = None) -> TestClient:
    access = Access()
    store = lake or Lake("memory://dashboard-site")
    api = create_api(Known(Runs(events)), lambda: START + timedelta(days=1), store, access=access)
    return TestClient(Guard(api, access), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def lived() -> TestClient:
    lake = Lake("memory://dashboard-lived")
    return site(days_of(lake, 3), lake)


@pytest.mark.parametrize("path", ALL)
def test_a_page_is_whole_and_needs_nothing_that_its_policy_forbids(lived: TestClient, path: str) -> None:
    answer = lived.get(path)
    outline = Outline(answer.text)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.named) <= set(outline.ids)
    assert outline.scopes <= {"col", "row"}
    assert outline.forbidden == []
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in outline.addresses)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(answer.content) < 300_000


@pytest.mark.parametrize("path", PATHS)
def test_every_figure_leads_to_the_event_that_it_came_from(lived: TestClient, path: str) -> None:
    sources = {a for a in Outline(lived.get(path).text).addresses if a.startswith("/runs/") and "#" in a}
    assert sources or path in ("/runs", "/decisions")
    for source in sorted(sources):
        page, _, name = source.partition("#")
        assert name in Outline(lived.get(page).text).ids, source


@pytest.mark.parametrize("path", PATHS)
def test_all_pages_lead_to_each_other_and_links_are_not_broken(lived: TestClient, path: str) -> None:
    addresses = set(Outline(lived.get(path).text).addresses)
    assert set(PATHS) <= addresses
    for address in addresses:
        if not address.startswith("#") and not address.startswith("/actions"):
            assert lived.get(address.partition("#")[0]).status_code in (200, 503), address


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("/runs",)])
def test_simulated_data_is_marked_on_every_page_and_real_data_is_not(path: str) -> None:
    lake = Lake("memory://dashboard-marked")
    assert "Simulated data" in site(days_of(lake, 1), lake).get(path).text
    assert "imulated" not in site(days_of(lake, 1, simulated=False), lake).get(path).text


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_system_says_how_to_begin_on_every_page(path: str) -> None:
    answer = site().get(path)
    assert answer.status_code == 200
    assert "<code>cbi " in answer.text
    assert Outline(answer.text).open == []


def test_text_from_events_is_escaped() -> None:
    story = Story()
    hostile = AlertRaised(severity="critical", source="x", what="<script>alert(1)</script>")
    text = site([*story.whole(), story.tell(hostile)]).get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


def test_a_lost_track_record_is_503_on_its_page_and_said_on_the_others() -> None:
    served = site(Story().whole())
    answer = served.get("/track")
    assert answer.status_code == 503
    assert "object is missing" in answer.text
    assert Outline(answer.text).open == []
    assert "No chart:" in served.get("/").text
    assert "object is missing" in served.get("/regime").text
    assert served.get("/api/track/1m").status_code == 503


def test_a_track_record_of_another_version_is_said() -> None:
    lake = Lake("memory://dashboard-old")
    other = days_of(lake, 1)
    history = next(e.data.history for e in other if e.type == "regime.detected")

    def old(event: Envelope[Any]) -> Envelope[Any]:
        served: LakeRef = history
        changed = isinstance(event.data, ForecastReady)
        return event.model_copy(update={"data": event.data.model_copy(update={"served": served})}) if changed else event

    answer = site(map(old, other), lake).get("/track")
    assert answer.status_code == 503
    assert "this version" in answer.text


def test_while_the_events_are_read_nothing_is_called_missing() -> None:
    known = Known(Runs())
    known.reading = True
    served = TestClient(create_api(known, lambda: START, Lake("memory://reading")))
    answer = served.get("/api/predictions")
    assert (answer.status_code, "still being read" in answer.json()["detail"]) == (503, True)
    assert "still being read" in served.get("/").text
    known.read_through()
    assert "cbi run" in served.get("/api/predictions").json()["detail"]


def test_while_the_bus_is_away_answers_warn() -> None:
    known = Known(Runs(Story().whole()))
    served = TestClient(create_api(known, lambda: START, Lake("memory://lost")))
    assert "warning" not in served.get("/api/predictions").headers
    known.connection(START)
    assert "no news from the bus since 2025-05-19T12:00:00" in served.get("/api/predictions").headers["warning"]
    assert "does not answer" in served.get("/").text


def test_static_files_are_named_by_their_content(lived: TestClient) -> None:
    (address,) = set(re.findall(r'href="(/static/style[^"]+)"', lived.get("/").text))
    assert re.search(r"\?v=[0-9a-f]{12}$", address)
    assert lived.get(address).headers["content-type"].startswith("text/css")
    assert "url(" not in lived.get(address).text


def test_a_card_is_of_the_newest_forecast_or_of_a_version_that_serves() -> None:
    lake = Lake("memory://dashboard-cards")
    lake.put(card_key("v-0123456789abcdef"), f"# Model card: <oil>\n\n{SIMULATED}\n".encode())
    client = site(Story(simulated=False).whole(), lake)
    newest = client.get("/models/card").text
    assert "A candidate: nothing was promoted with this card." in newest
    assert "Simulated data" not in newest
    stored = client.get("/models/card/v-0123456789abcdef").text
    assert "# Model card: &lt;oil&gt;" in stored
    assert "Simulated data" in stored
    assert client.get("/models/card/v-ffffffffffffffff").status_code == 404
    assert client.get("/models/card/..%2fmodels").status_code == 404
    assert client.get("/models/card/nothing").status_code == 422
    assert site(lake=lake).get("/models/card").status_code == 503
