"""The buyer's part of the page: advice, the forms that answer it, the log, and what it says when things are missing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.decision import CoverRecorded, NeedStated
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.past import days_of
from cbi_common.testing.story import START
from dashboard.adapters.guard import Access, Guard
from dashboard.domain import view
from dashboard.domain.advised import AdviceAnswer, AdvisedMonth, Deal, advice, answered, spread
from dashboard.domain.known import Known
from dashboard.domain.months import Months
from dashboard.domain.pages import buying
from dashboard.domain.terms import Terms
from dashboard.handlers import create_api

NOW = START + timedelta(hours=1)
ACCESS = Access(secret=b"s")
LAKE = Lake("memory://dashboard-cover")


class Desk:
    """What the page publishes, known at once."""

    def __init__(self, known: Known) -> None:
        self.known, self.said = known, list[EventData]()

    async def decide(self, data: EventData, seen: int) -> str:
        self.said.append(data)
        self.known.apply(Envelope.first(data, source="dashboard", now=NOW, event_id=f"d{len(self.said)}"))
        return f"d{len(self.said)}"


class Page:
    def __init__(self) -> None:
        self.known = Known(Runs(days_of(LAKE, 3, simulated=False)))
        self.desk = Desk(self.known)
        api = create_api(self.known, lambda: NOW, LAKE, actions=self.desk, access=ACCESS)  # type: ignore[arg-type]
        self.client = TestClient(Guard(api, ACCESS), base_url="http://127.0.0.1", follow_redirects=False)

    def text(self) -> str:
        return self.client.get("/decisions").text

    def send(self, path: str, **fields: Any) -> Any:
        form = {"csrf": ACCESS.csrf, "seen": self.known.version, **fields}
        return self.client.post(f"/actions/{path}", data=form)

    def answer(self, **fields: Any) -> Any:
        found = self.client.get("/api/advice").json()
        said = {"run_id": found["origin"]["run_id"], "advised": f"{found['quantity']:.0f}", "horizon": "3m", "cover": 6}
        return self.send("advice", **{**said, "price": 49.0, "basis": 0.5, "answer": "accept", **fields})


@pytest.fixture
def page() -> Page:
    return Page()


def needing(page: Page) -> Page:
    assert page.send("cover/need", since="2025-01", quantity="600000").status_code == 303
    return page


def test_before_anybody_said_what_is_needed_the_page_says_how_to(page: Page) -> None:
    text = page.text()
    assert "Nobody has said how much is needed" in text
    assert "cbi cover need QUANTITY" in text
    assert page.client.get("/api/advice").status_code == 503
    assert "How much to buy: month 2025-05" in page.client.get("/").text


def test_what_was_bought_as_advised_is_in_the_book_and_nothing_more_is_advised(page: Page) -> None:
    needing(page)
    assert "Buy 2,220,000 lb now (37 lots), for 2025-05 to 2025-11." in page.text()
    assert page.answer().headers["location"] == "/decisions#buy"
    (record,) = [said for said in page.desk.said if isinstance(said, CoverRecorded)]
    assert sum(p.quantity for p in record.purchases) == 2_220_000
    assert {p.price for p in record.purchases} == {49.0}
    assert record.answer is not None
    assert record.answer.answer == "accept"
    assert "Buy nothing now" in page.text()
    assert "Buy nothing now" in page.client.get("/").text
    log = page.client.get("/api/cover").json()
    assert len(log["entries"]) == 7
    assert log["answers"][0]["bought"] == 2_220_000


def test_an_override_needs_a_reason_which_is_kept(page: Page) -> None:
    needing(page)
    refused = page.answer(answer="override", quantity=120_000, reason=" ")
    assert refused.status_code == 400
    assert "say why the advice is not followed" in refused.text.lower()
    assert page.answer(answer="override", quantity=120_000, reason="the tank is full").status_code == 303
    assert "overridden: the tank is full" in page.text()
    too_much = page.answer(answer="override", quantity=9e9, reason="x")
    assert "more than the" in too_much.text


def test_advice_that_has_changed_is_not_answered(page: Page) -> None:
    needing(page)
    assert "the advice has changed" in page.answer(run_id="other").text.lower()
    assert "the advice has changed" in page.answer(advised="60000").text.lower()
    assert len(page.desk.said) == 1


def test_a_purchase_is_entered_and_withdrawn(page: Page) -> None:
    fields = {"month": "2025-04", "quantity": 300_000, "price": 42.1, "basis": 0.5, "bought": "2025-02-10"}
    assert page.send("cover/add", **fields).status_code == 303
    assert "42.10" in page.text()
    assert "1 purchase of months that have begun" in page.text()
    sheet = page.client.get("/api/cover.csv").text
    assert "2025-04,300000.0,42.1,0.5,2025-02-10,local" in sheet
    assert page.send("cover/withdraw", record="d1", reason="typed wrong").status_code == 303
    assert "No purchase is in the log" in page.text()
    assert "withdrawn already" in page.send("cover/withdraw", record="d1").text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"month": "2025-13"}, "is not a month such as 2025-07"),
        ({"quantity": "many"}, "is not a number"),
        ({"quantity": "nan"}, "is not a number"),
        ({"price": -1}, "purchases.0.price"),
        ({"bought": "yesterday"}, "purchases.0.bought"),
        ({"csrf": "x"}, "from before a restart"),
    ],
)
def test_a_wrong_form_is_refused_in_one_line_and_nothing_is_recorded(page: Page, change: Any, words: str) -> None:
    fields = {"month": "2025-04", "quantity": 1, "price": 42.1, "basis": 0, "bought": "2025-02-10"}
    answer = page.send("cover/add", **{**fields, **change})
    assert answer.status_code == 400
    assert words in answer.text.lower()
    assert page.desk.said == []


def test_nothing_can_be_entered_where_nobody_publishes() -> None:
    known = Known(Runs(days_of(LAKE, 2)))
    client = TestClient(create_api(known, lambda: NOW, LAKE), base_url="http://127.0.0.1")
    assert "/actions/" not in client.get("/decisions").text
    assert client.post("/actions/cover/need").status_code in (404, 405)


def test_a_forecast_decides_only_where_it_has_an_edge(page: Page) -> None:
    needing(page)
    runs, book = page.known.runs, page.known.decisions.book("zl", simulated=False)
    plain = advice(runs, book, Months(60_000, {}), Terms(), NOW.date())
    assert (plain.edge, plain.action) == (False, "MONITOR")
    run = view.forecast_run(runs)
    assert run.forecast is not None
    first = run.forecast.data.forecasts[Horizon.M3]
    proven = first.model_copy(
        update={"signal": "WAIT", "metrics": first.metrics.model_copy(update={"skill": 0.05, "dm_p": 0.01})}
    )
    data = run.forecast.data.model_copy(update={"forecasts": {**run.forecast.data.forecasts, Horizon.M3: proven}})
    told = run.forecast.model_copy(update={"data": data, "id": "z", "time": run.forecast.time + timedelta(minutes=1)})
    runs.apply(told)
    found = advice(runs, book, Months(60_000, {}), Terms(), NOW.date())
    assert (found.edge, found.action, list(found.orders)) == (True, "WAIT", ["2025-05"])
    shown = buying.buy_now(found, view.forecast_run(runs), buying.Money.of("¢/lb"), Terms())
    assert "expects a fall" in shown.reason


def months(*uncovered: float) -> AdviceAnswer:
    return AdviceAnswer.model_construct(
        uncovered=sum(uncovered),
        months=tuple(
            AdvisedMonth(month=f"2025-0{i + 1}", need=u, bought=0.0, uncovered=u, share=1.0, order=0.0)
            for i, u in enumerate(uncovered)
        ),
    )


def test_what_was_bought_instead_goes_to_the_nearest_months_first() -> None:
    assert spread(months(100, 0, 50, 80), 170) == {"2025-01": 100, "2025-03": 50, "2025-04": 20}
    assert spread(months(100), 0) == {}
    with pytest.raises(UsageError, match="more than the 100 lb"):
        spread(months(100), 101)


def test_nothing_advised_cannot_be_accepted() -> None:
    with pytest.raises(UsageError, match="nothing to accept"):
        answered(months(100), Deal(50, 0, date(2025, 5, 1)), "chris")


def test_the_book_says_who_stated_a_need(page: Page) -> None:
    needing(page)
    (said,) = page.desk.said
    assert isinstance(said, NeedStated)
    assert (said.by, said.simulated, said.since) == ("local", False, "2025-01")
