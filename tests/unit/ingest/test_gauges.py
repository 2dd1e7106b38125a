"""What Prometheus scrapes after an export."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cbi_common.events.data import DataRequested, Finding, TableQuality
from cbi_common.runtime.ops import ops_app
from cbi_common.testing.fakes import envelope, make_kit
from ingest import jobs
from ingest.adapters import gauges
from ingest.handlers import Handlers

PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical"


def scraped(name: str) -> dict[frozenset[tuple[str, str]], float]:
    """Return the samples of one metric on ``/metrics``: labels to value."""
    text = TestClient(ops_app(lambda: {"ingest": True})).get("/metrics").text
    found = re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE)
    return {frozenset(re.findall(r'(\w+)="([^"]*)"', labels)): float(value) for labels, value in found}


def labels(**named: str) -> frozenset[tuple[str, str]]:
    return frozenset(named.items())


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """The registry belongs to the process: what other tests and this one showed is taken away."""
    for market in ("zl", "tea"):
        gauges.show(market, None, {})
    yield
    for market in ("zl", "tea"):
        gauges.show(market, None, {})


def table(verdict: str, rows: int = 10, newest: date | None = None, **counts: int) -> TableQuality:
    findings = [Finding(check=check, count=n, detail="", severity="repaired") for check, n in counts.items()]
    return TableQuality.model_validate({"rows": rows, "verdict": verdict, "findings": findings, "newest": newest})


def test_rows_verdict_findings_and_age_of_every_table() -> None:
    friday = date(2025, 5, 16)
    gauges.show(
        "tea", friday, {"a.b": table("repaired", 7, date(2025, 5, 13), duplicate_row=3), "a.c": table("unused")}
    )
    assert scraped("cbi_table_rows")[labels(market="tea", table="a.b")] == 7
    assert scraped("cbi_table_verdict")[labels(market="tea", table="a.b", verdict="repaired")] == 1
    found = scraped("cbi_quality_findings")
    assert found == {labels(market="tea", table="a.b", check="duplicate_row", severity="repaired"): 3}
    assert scraped("cbi_table_age_sessions") == {labels(market="tea", table="a.b"): 3}


def test_what_is_no_longer_found_is_gone_and_another_market_stays() -> None:
    gauges.show("tea", None, {"a.b": table("rejected", all_null=1)})
    gauges.show("zl", None, {"a.b": table("ok")})
    gauges.show("tea", None, {"a.b": table("ok")})
    assert set(scraped("cbi_table_verdict")) == {
        labels(market="tea", table="a.b", verdict="ok"),
        labels(market="zl", table="a.b", verdict="ok"),
    }
    assert scraped("cbi_quality_findings") == {}


def test_findings_of_several_columns_add_up() -> None:
    twice = Finding(check="null_value", count=2, detail="", severity="info")
    gauges.show("tea", None, {"a.b": TableQuality(rows=1, verdict="ok", findings=(twice, twice))})
    assert list(scraped("cbi_quality_findings").values()) == [4]


def test_an_export_and_a_rejection_set_the_gauges(tmp_path: Path) -> None:
    kit = make_kit(tmp_path, jobs={"ingest.jobs:export": jobs.export}, warehouse="simulated?sessions=1500&seed=5")
    asyncio.run(Handlers(kit).export(envelope(DataRequested(market="zl", profile="smoke"))))
    assert scraped("cbi_table_rows")[labels(market="zl", table=PRICES)] == 1500
    assert scraped("cbi_table_age_sessions")[labels(market="zl", table=PRICES)] == 0
    early = DataRequested(market="zl", profile="smoke", as_of=date(1950, 1, 2))
    asyncio.run(Handlers(kit).export(envelope(early)))
    assert scraped("cbi_table_verdict")[labels(market="zl", table=PRICES, verdict="rejected")] == 1
    assert scraped("cbi_table_age_sessions") == {}
