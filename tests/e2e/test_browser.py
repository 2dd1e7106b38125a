"""The pages in a real browser: what it refuses, what a phone shows, what a screen reader and a keyboard meet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from cbi_common.events.base import Envelope, EventData
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.browser import browser, chromium
from cbi_common.testing.past import days_of
from cbi_common.testing.served import served
from cbi_common.testing.story import START, Story
from dashboard.adapters.guard import Access, Guard
from dashboard.domain.answers import GivenUp
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import PAGES
from dashboard.handlers import create_api

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(chromium() is None and not os.environ.get("CI"), reason="no Chromium: apt-get install chromium"),
]

PATHS = [page.path for page in PAGES]
SCREENS = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
}
SERIOUS = ("serious", "critical")


class Recorder:
    """Actions that are only written down."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.done: list[tuple[Any, ...]] = []

    async def replay(self, *said: Any) -> None:
        self.done.append(("replay", *said))

    async def run(self, *said: Any) -> str:
        self.done.append(("run", *said))
        return "id"

    async def decide(self, data: EventData, seen: int) -> str:
        self.done.append((data.subject, seen))
        self.known.apply(Envelope.first(data, source="dashboard", now=START, event_id=f"d{len(self.done)}"))
        return "id"


class Site:
    """A served dashboard and what stands behind it; events are taken in on its own loop, as the feed does."""

    def __init__(self, access: Access | None = None) -> None:
        lake = Lake("memory://browser")
        self.known = Known(Runs(days_of(lake, 8)))
        self.actions = Recorder(self.known)
        self.known.give_up((
            GivenUp(number=4, published=START, subject="data.exported", consumer="all", reason="not JSON"),
        ))  # fmt: skip
        access = access or Access(secret=b"s")
        self._news: SimpleQueue[Envelope[Any]] = SimpleQueue()
        clock = START + timedelta(days=1)
        self.app = Guard(
            create_api(self.known, lambda: clock, lake, self._reading, actions=self.actions, access=access), access  # type: ignore[arg-type]
        )  # fmt: skip

    def tell(self, event: Envelope[Any]) -> None:
        self._news.put(event)

    @asynccontextmanager
    async def _reading(self, _app: object) -> AsyncIterator[None]:
        async def read() -> None:
            while True:
                while not self._news.empty():
                    self.known.apply(self._news.get())
                await asyncio.sleep(0.05)

        task = asyncio.create_task(read())
        yield
        task.cancel()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as shown:
        yield shown


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(Site().app) as found:
        yield found


@contextmanager
def opened(chrome: Browser, url: str, **screen: Any) -> Iterator[Page]:
    """Yield a page that has been loaded; whatever the browser complains of fails the test."""
    context = chrome.new_context(**(screen or SCREENS["desk"]))
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    home = urlsplit(url).netloc
    page.on("request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc != home else None)
    try:
        page.goto(url, wait_until="domcontentloaded")
        yield page
    finally:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("path", [*PATHS, "/runs/req-0003"])
def test_a_page_is_accessible_fits_its_screen_and_breaks_no_rule(
    chrome: Browser, address: str, path: str, screen: str
) -> None:
    with opened(chrome, f"{address}{path}", **SCREENS[screen]) as page:
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        shown, wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert shown <= wide
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []


def test_the_first_key_leads_past_the_navigation(chrome: Browser, address: str) -> None:
    with opened(chrome, f"{address}/") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        page.keyboard.press("Enter")
        assert page.url.endswith("#main")
        page.keyboard.press("Tab")
        inside = page.evaluate("document.getElementById('main').contains(document.activeElement)")
        assert inside


def test_colours_follow_the_system_or_the_choice_and_the_choice_is_kept(chrome: Browser, address: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(chrome, f"{address}/", **SCREENS["desk"]) as page:
        light = page.evaluate(paper)
        page.click("#theme")
        dark = page.evaluate(paper)
        assert dark != light
        page.goto(f"{address}/why")
        assert page.evaluate(paper) == dark
    with opened(chrome, f"{address}/", **SCREENS["phone"]) as page:
        assert page.evaluate(paper) == dark


@pytest.mark.parametrize("path", ["/", "/track", "/runs"])
def test_a_page_says_the_same_without_scripts(chrome: Browser, address: str, path: str) -> None:
    text = "document.getElementById('main').innerText"
    with opened(chrome, f"{address}{path}", **SCREENS["desk"]) as page:
        said = page.evaluate(text)
    with opened(chrome, f"{address}{path}", **SCREENS["desk"], java_script_enabled=False) as page:
        page.wait_for_load_state("load")  # no script of the page waits for its styles
        assert page.locator("#main").inner_text() == said
        assert page.locator("svg.chart.wide").count() == page.locator("figure").count()


def test_one_of_two_pictures_is_shown_on_each_screen(chrome: Browser, address: str) -> None:
    for screen, shown, hidden in (("desk", "wide", "narrow"), ("phone", "narrow", "wide")):
        with opened(chrome, f"{address}/", **SCREENS[screen]) as page:
            assert page.locator(f"svg.{shown}").is_visible()
            assert not page.locator(f"svg.{hidden}").is_visible()


def test_a_figure_leads_to_its_event(chrome: Browser, address: str) -> None:
    with opened(chrome, f"{address}/") as page:
        page.locator(".card .point a").first.click()
        page.wait_for_url("**/runs/req-0007#e-*")
        target = page.locator("li:target")
        assert "forecast.ready" in target.inner_text()
        assert target.is_visible()


def test_what_happens_appears_without_a_reload(chrome: Browser) -> None:
    site = Site()
    with served(site.app) as address, opened(chrome, f"{address}/runs") as page:
        page.evaluate("window.same = true")
        assert page.get_by_text("Under way").count() == 0
        for event in Story("fresh", START + timedelta(days=1)).whole()[:6]:
            site.tell(event)
        page.get_by_text("Under way").wait_for(timeout=8_000)
        assert page.evaluate("window.same")


def test_a_person_sends_a_message_again_and_asks_for_a_run(chrome: Browser) -> None:
    site = Site()
    with served(site.app) as address, opened(chrome, f"{address}/runs") as page:
        page.get_by_role("button", name="Send again").click()
        page.wait_for_url("**/runs#dead")
        page.get_by_label("Market").fill("zl")
        page.get_by_label("Profile").select_option("standard")
        page.get_by_role("button", name="Ask for data").click()
        page.wait_for_load_state()
    assert site.actions.done == [("replay", 4, "local"), ("run", "zl", "standard", "local", 1)]


def test_the_buyer_says_what_is_needed_answers_the_advice_and_takes_it_back(chrome: Browser) -> None:
    site = Site()
    with served(site.app) as address, opened(chrome, f"{address}/decisions") as page:
        page.get_by_label("lb a month").fill("600000")
        page.get_by_role("button", name="Keep it").click()
        page.wait_for_url("**/decisions#cover")
        assert "Buy 2,220,000 lb now" in page.locator("#main").inner_text()
        page.get_by_label("Basis paid on top").first.fill("0.5")
        page.get_by_role("button", name="Bought as advised").click()
        page.wait_for_url("**/decisions#buy")
        assert "Buy nothing now" in page.locator("#main").inner_text()
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in SERIOUS] == []
        page.get_by_role("button", name="Withdraw all 7").first.click()
        page.wait_for_url("**/decisions#cover")
        assert "Buy 2,220,000 lb now" in page.locator("#main").inner_text()
    assert [subject for subject, _ in site.actions.done] == ["need.stated", "cover.recorded", "cover.withdrawn"]


def test_a_login_opens_the_page_that_was_asked_for(chrome: Browser) -> None:
    site = Site(Access(token="a-token-of-some-length", secret=b"s"))
    with served(site.app) as address, opened(chrome, f"{address}/why") as page:
        page.get_by_label("Token").fill("a-token-of-some-length")
        page.get_by_role("button", name="Enter").click()
        page.wait_for_url(f"{address}/why")
        assert "Why: 1 month" in page.locator("h1").inner_text()
        assert page.evaluate("document.cookie") == ""
