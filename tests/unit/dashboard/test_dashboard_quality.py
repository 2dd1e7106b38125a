"""The quality page: verdicts, findings and first rows of tables whose content nobody vouches for."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported, Finding, TableQuality
from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.outline import Outline
from cbi_common.testing.story import START, Story, exported
from dashboard.domain.known import Known
from dashboard.domain.quality import VERDICTS
from dashboard.handlers import create_api

HOSTILE = '<script>alert("x")</script>'
SUMMARY = {
    "shop.prices": TableQuality(
        rows=1500,
        verdict="repaired",
        newest=date(2025, 5, 16),
        findings=(
            Finding(check="calendar_hole", count=3, detail="3 sessions without a row"),
            Finding(
                check="duplicate_row",
                count=1200,
                detail="equal rows",
                severity="repaired",
                columns=("close",),
                done="one",
            ),
        ),
    ),
    "shop.rapeseed": TableQuality(
        rows=7,
        verdict="rejected",
        findings=(Finding(check="mislabelled", count=7, detail=HOSTILE, severity="rejected"),),
    ),
    "shop.clean": TableQuality(rows=10, verdict="ok"),
    "shop.other": TableQuality(rows=99, verdict="unused"),
}


def full_report() -> dict[str, Any]:
    tables = {name: table.model_dump(mode="json") for name, table in SUMMARY.items()}
    rows = [{"date": "2024-01-02", "close": 50.5, HOSTILE: HOSTILE}, {"date": "2024-01-03", "close": None}]
    tables["shop.prices"]["findings"][1]["rows"] = rows
    return {"tables": tables}


def client(lake: Lake, report: LakeRef | None = None, *, simulated: bool = False) -> TestClient:
    story = Story(simulated=simulated)
    data: DataExported = exported(simulated=simulated).model_copy(update={"quality": SUMMARY, "quality_report": report})
    return TestClient(create_api(Known(Runs([story.request, story.tell(data)])), lambda: START, lake))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_the_page_is_whole_accessible_and_loads_nothing_from_elsewhere(lake: Lake) -> None:
    answer = client(lake, lake.put_json("quality/1", full_report())).get("/data")
    outline = Outline(answer.text)
    assert answer.status_code == 200
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.named) <= set(outline.ids)
    assert outline.scopes == {"col", "row"}
    assert all(address.startswith(("/", "#main")) for address in outline.addresses)
    assert outline.forbidden == []


def test_the_worst_tables_come_first_and_the_clean_ones_are_listed_at_the_end(lake: Lake) -> None:
    headings = [text for text in Outline(client(lake).get("/data").text).headings if text]
    assert headings[headings.index("What the gate found") :] == [
        "What the gate found", "shop.rapeseed", "shop.prices", "Nothing found", "How to read it",
    ]  # fmt: skip


def test_a_finding_says_what_where_how_often_and_what_was_done(lake: Lake) -> None:
    text = client(lake).get("/data?verdict=repaired").text
    for said in (
        "duplicate_row",
        "repaired",
        "1,200",
        "<strong>close</strong>",
        "equal rows",
        ">one<",
        "1,500 rows, to 2025-05-16",
    ):
        assert said in text, said
    assert text.index("duplicate_row") < text.index("calendar_hole")


def test_first_rows_come_from_the_full_report_and_open_without_a_script(lake: Lake) -> None:
    assert "First rows" not in client(lake).get("/data").text
    text = client(lake, lake.put_json("quality/1", full_report())).get("/data").text
    rows = text[text.index("First rows") : text.index("</table></div>", text.index("First rows"))]
    assert "<td>50.5</td>" in rows
    assert rows.count("<td>–</td>") == 2


def test_strings_of_the_warehouse_are_escaped(lake: Lake) -> None:
    text = client(lake, lake.put_json("quality/1", full_report())).get("/data").text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;") == 3


@pytest.mark.parametrize("verdict", VERDICTS)
def test_links_choose_the_tables_of_one_verdict(lake: Lake, verdict: str) -> None:
    served = client(lake)
    every, chosen = (Outline(served.get(a).text) for a in ("/data", f"/data?verdict={verdict}"))
    assert f"/data?verdict={verdict}" in every.addresses
    assert chosen.current == ["/data", f"/data?verdict={verdict}"]
    text = served.get(f"/data?verdict={verdict}").text.partition("What the gate found")[2]
    shown = [name for name in SUMMARY if name in text]
    assert shown == [name for name, table in SUMMARY.items() if table.verdict == verdict]


def test_no_such_verdict_is_the_callers_mistake(lake: Lake) -> None:
    assert client(lake).get("/data?verdict=fine").status_code == 422


def test_a_lost_report_is_said_and_the_summary_shown(lake: Lake) -> None:
    lost = LakeRef(key="quality/lost", sha256="ab" * 32, size_bytes=1)
    served = client(lake, lost)
    text = served.get("/data").text
    assert "Only the summary is shown" in text
    assert "quality/lost" in text
    assert "duplicate_row" in text
    answer = served.get("/api/quality").json()
    assert (answer["full"], answer["report"]["key"]) == (False, "quality/lost")
    assert "missing" in answer["note"]


@pytest.mark.parametrize("raw", [{}, {"tables": {"shop.prices": {"rows": "many"}}}])
def test_a_report_of_another_version_is_said_and_the_summary_shown(lake: Lake, raw: dict[str, Any]) -> None:
    text = client(lake, lake.put_json("quality/old", raw)).get("/data").text
    assert "Only the summary is shown: lake quality/old: the report was written by another version" in text
    assert "duplicate_row" in text


def test_the_same_as_json(lake: Lake) -> None:
    answer = client(lake, lake.put_json("quality/1", full_report())).get("/api/quality").json()
    assert (answer["market"], answer["warehouse"], answer["full"], answer["note"]) == ("zl", "tables", True, "")
    finding = answer["tables"]["shop.prices"]["findings"][1]
    assert (finding["severity"], finding["columns"], finding["rows"][0]["close"]) == ("repaired", ["close"], 50.5)


def test_a_rejection_stands_on_top_and_simulated_data_is_marked(lake: Lake) -> None:
    served = TestClient(create_api(Known(Runs(Story().rejection())), lambda: START, lake))
    assert "Nothing was trained: data rejected: prices, text_in_numbers" in served.get("/data").text
    assert "Simulated data" in client(lake, simulated=True).get("/data").text
    assert "(simulated)" not in client(lake).get("/data").text
    assert "Simulated" not in client(lake).get("/data").text


def test_what_was_fresh_a_month_ago_is_said_to_be_old(lake: Lake) -> None:
    story = Story()
    known = Known(Runs([story.request, story.tell(exported().model_copy(update={"quality": SUMMARY}))]))
    later = TestClient(create_api(known, lambda: START + timedelta(days=30), lake)).get("/data").text
    assert "33 days ago" in later
    assert "days ago" not in client(lake).get("/data").text


def test_nothing_yet_says_how_to_begin(lake: Lake) -> None:
    answer = TestClient(create_api(Known(Runs()), lambda: START, lake)).get("/data")
    assert answer.status_code == 200
    assert "cbi run" in answer.text
    assert Outline(answer.text).open == []


def test_the_old_address_leads_to_the_new_one(lake: Lake) -> None:
    answer = client(lake).get("/quality", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/data")


def test_freshness_and_what_was_left_out(lake: Lake) -> None:
    text = client(lake).get("/data").text
    assert "STALE" not in text
    assert "1 column was left out" in text
    assert ">stale<" in text
