"""The buyer's events: any order, any number of deliveries, the same book; what is withdrawn counts no more."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.decision import Answer, CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.procurement.purchase import Purchase
from cbi_common.reporting.decisions import Decisions

START = datetime(2025, 5, 1, tzinfo=UTC)
MINE: dict[str, Any] = {"market": "zl", "simulated": False, "by": "chris"}
PURCHASE = Purchase(month="2025-07", quantity=60_000, price=50.0, basis=0.0, bought=date(2025, 5, 1))


def told(number: int, data: EventData) -> Envelope[Any]:
    return Envelope.first(data, source="cli", now=START + timedelta(minutes=number), event_id=f"e{number}")


def answer(**changes: Any) -> Answer:
    said = {"run_id": "r", "horizon": Horizon.M3, "action": "BUY", "advised": {"2025-07": 60_000.0}}
    return Answer.model_validate({**said, "answer": "accept", "reason": "", **changes})


EVENTS = [
    told(1, NeedStated(**MINE, since="2025-05", quantity=600_000)),
    told(2, CoverRecorded(**MINE, purchases=(PURCHASE, PURCHASE))),
    told(3, CoverRecorded(**MINE, purchases=(PURCHASE,), answer=answer())),
    told(4, NeedStated(**MINE, since="2025-05", quantity=540_000)),
    told(5, CoverWithdrawn(**MINE, record="e2", reason="typed twice")),
    told(6, CoverRecorded(**{**MINE, "simulated": True}, purchases=(PURCHASE,))),
    told(7, CoverRecorded(**MINE, purchases=(), answer=answer(answer="override", reason="tank is full"))),
]


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_any_number_of_deliveries_give_the_same_book(seed: int) -> None:
    events = [*EVENTS, *random.Random(seed).sample(EVENTS, 4)]
    random.Random(seed).shuffle(events)
    found = Decisions(events)
    book = found.book("zl", simulated=False)
    assert book.needs == {"2025-05": 540_000}
    assert [(e.record, e.answers) for e in book.entries] == [("e3", "accept")]
    assert [event.id for event in found.records("zl", simulated=False)] == ["e3", "e7"]


def test_the_simulated_market_has_its_own_book() -> None:
    found = Decisions(EVENTS)
    assert [e.record for e in found.book("zl", simulated=True).entries] == ["e6"]
    assert found.book("wti", simulated=False).entries == ()


def test_an_override_without_a_reason_is_no_event() -> None:
    with pytest.raises(ValidationError, match="needs a reason"):
        answer(answer="override", reason="  ")


def test_a_record_of_nothing_is_no_event() -> None:
    with pytest.raises(ValidationError, match="neither a purchase nor an answer"):
        CoverRecorded(**MINE, purchases=())


@pytest.mark.parametrize("month", ["2025-13", "2025-7", "next", ""])
def test_a_month_that_is_none_is_named(month: str) -> None:
    with pytest.raises(ValidationError, match="is not a month such as"):
        NeedStated(**MINE, since=month, quantity=1.0)
