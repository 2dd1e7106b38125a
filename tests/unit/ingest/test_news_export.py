"""From articles to columns of a dataset and back: known in time, traceable, absent without a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from cbi_common.core.errors import UsageError
from cbi_common.events.data import DataExported, DataRequested
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.folders import rewrite
from cbi_common.testing.tiny_finbert import write_model
from ingest import jobs
from ingest.adapters.finbert import FinBert
from ingest.commands import quality
from ingest.handlers import Handlers
from ingest.news import NO_WEIGHTS
from ingest.news_command import news

TABLE = "forecasting_data_warehouse.news_advanced"
NEEDED = ("biofuel_components_canonical", "vix_daily", "news_advanced")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The least that makes an export, and a year of articles."""
    target = tmp_path_factory.mktemp("news") / "tables"
    target.mkdir()
    simulated = open_warehouse("simulated?sessions=1500&seed=5")
    for name in simulated.tables():
        if name.endswith(NEEDED):
            pq.write_table(simulated.read(name), target / f"{name}.parquet")
    return target


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def whole(tables: Path, model: Path, lake: Path) -> DataExported:
    return export(lake, tables, model)


def export(lake: Path, tables: Path, model: Path | None, **more: Any) -> DataExported:
    asked = {
        "lake": str(lake),
        "warehouse": str(tables),
        "market": "zl",
        "profile": "smoke",
        "datasets": ["trump_rich"],
    }
    done = jobs.export({**asked, "finbert": None if model is None else str(model), **more})
    return DataExported.model_validate(done["exported"])


def articles_changed(tables: Path, target: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    rewrite(tables, target, lambda name, table: change(table) if name == TABLE else table)
    return target


def full(lake: Path, event: DataExported) -> pa.Table:
    return get_table(Lake(str(lake)), event.datasets["full"].ref)


def of_news(table: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
    return {name: table[name].to_numpy() for name in table.column_names if name.startswith("news_")}


def same(one: dict[str, np.ndarray[Any, Any]], other: dict[str, np.ndarray[Any, Any]]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n], equal_nan=True) for n in one)


def test_sentiment_stands_in_the_dataset_from_the_day_after_the_first_article(lake: Path, whole: DataExported) -> None:
    table = full(lake, whole)
    columns = of_news(table)
    assert columns.keys() == {
        "news_sentiment",
        "news_count",
        "news_dispersion",
        *(f"news_mood{topic}" for topic in ("", "_soy", "_biofuel", "_weather", "_trade", "_china")),
    }
    known = ~np.isnan(columns["news_sentiment"])
    assert 180 < known.sum() < 250
    assert not known[:-250].any()
    assert "news" not in whole.absent
    assert whole.datasets["full"].dropped_columns["news_mood_palm"] == "no article says anything of it"


def test_every_number_leads_back_to_its_articles(lake: Path, whole: DataExported, tables: Path) -> None:
    assert whole.news is not None
    articles, table = get_table(Lake(str(lake)), whole.news), full(lake, whole)
    assert articles["session"].to_numpy().tolist() == sorted(articles["session"].to_numpy())
    by_session: dict[int, list[float]] = {}
    for article in articles.to_pylist():
        assert article["known_from"] > article["published"].date()
        assert article["net"] == article["positive"] - article["negative"]
        assert len(article["sha256"]) == len(article["model"]) == 64
        by_session.setdefault(article["session"], []).append(article["net"])
    for session, value, count in zip(
        table["session"].to_pylist(), table["news_sentiment"].to_numpy(), table["news_count"].to_numpy(), strict=True
    ):
        if session in by_session:
            assert value == pytest.approx(np.mean(by_session[session]))
            assert count == len(by_session[session])
        else:
            assert np.isnan(value)
            assert np.isnan(count)
    report = Lake(str(lake)).get_json(whole.quality_report)["news"]
    assert report["articles"] == articles.num_rows == report["tables"][TABLE]["kept"]
    assert report["model"]["fingerprint"] == articles["model"][0].as_py()


def test_the_tone_of_the_articles_is_that_of_the_simulated_news(lake: Path, whole: DataExported) -> None:
    articles = get_table(Lake(str(lake)), whole.news)  # type: ignore[arg-type]
    rising = np.array(["gains" in title for title in articles["title"].to_pylist()])
    falling = np.array(["slides" in title for title in articles["title"].to_pylist()])
    net = articles["net"].to_numpy()
    assert net[rising].min() > 0 > net[falling].max()


def test_a_mood_holds_for_ten_sessions_and_no_longer(lake: Path, tables: Path, model: Path, tmp_path: Path) -> None:
    def stopped(table: pa.Table) -> pa.Table:
        return table.slice(0, table.num_rows // 2)

    silent = articles_changed(tables, tmp_path / "silent", stopped)
    event = export(lake, silent, model)
    table = full(lake, event)
    articles = get_table(Lake(str(lake)), event.news)  # type: ignore[arg-type]
    last, sessions = articles["session"][-1].as_py(), table["session"].to_numpy()
    mood = table["news_mood"].to_numpy()[sessions >= last]
    assert np.isnan(mood).tolist() == (sessions[sessions >= last] > last + 10).tolist()


def test_later_articles_change_no_earlier_number(
    lake: Path, whole: DataExported, tables: Path, model: Path, tmp_path: Path
) -> None:
    table = full(lake, whole)
    cut = table["date"][-60].as_py()

    def poisoned(articles: pa.Table) -> pa.Table:
        rows = articles.to_pylist()
        for row in rows:
            if row["published_date"].date() >= cut:
                row["title"] = row["summary"] = row["full_content"] = "Soybean oil plunges " * 3 + row["article_id"]
        return pa.Table.from_pylist(rows[::-1], schema=articles.schema)

    before = table.slice(0, table.num_rows - 59)
    assert before["date"][-1].as_py() == cut
    spoilt = full(lake, export(lake, articles_changed(tables, tmp_path / "later", poisoned), model))
    assert not same(of_news(spoilt), of_news(table))
    assert same(of_news(spoilt.slice(0, before.num_rows)), of_news(before))
    asked_then = full(lake, export(lake, tables, model, as_of=cut.isoformat()))
    assert same(of_news(asked_then), of_news(before))


def test_one_more_day_scores_only_its_articles(
    tmp_path: Path, whole: DataExported, lake: Path, tables: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []
    score = FinBert.score

    def counted(self: FinBert, texts: list[str]) -> Any:
        scored.extend(texts)
        return score(self, texts)

    monkeypatch.setattr(FinBert, "score", counted)
    articles = get_table(Lake(str(lake)), whole.news).to_pylist()  # type: ignore[arg-type]
    last = articles[-1]["known_from"]
    asked = {"lake": str(tmp_path), "warehouse": str(tables), "market": "zl", "finbert": str(model)}
    before = jobs.news({**asked, "as_of": (last - timedelta(days=1)).isoformat()})
    assert len(scored) == before["articles"] == sum(a["known_from"] < last for a in articles)
    scored.clear()
    after = jobs.news({**asked, "as_of": last.isoformat()})
    assert len(scored) == after["articles"] - before["articles"] > 0
    scored.clear()
    assert jobs.news({**asked, "as_of": last.isoformat()}) == after
    assert scored == []
    assert after["provenance"]["sha256"] == whole.news.sha256  # type: ignore[union-attr]


def test_without_a_model_there_is_no_sentiment_and_it_says_so(tables: Path, lake: Path) -> None:
    event = export(lake, tables, None)
    assert of_news(full(lake, event)) == {}
    assert event.absent["news"] == NO_WEIGHTS
    assert event.news is None
    dropped = event.datasets["full"].dropped_columns
    assert {dropped[name] for name in load_market("zl").news_series} == {NO_WEIGHTS}
    assert Lake(str(lake)).get_json(event.quality_report)["news"]["absent"] == NO_WEIGHTS  # type: ignore[arg-type]


def test_without_an_article_there_is_none_either(tables: Path, lake: Path, model: Path, tmp_path: Path) -> None:
    empty = articles_changed(tables, tmp_path / "empty", lambda table: table.slice(0, 0))
    assert "empty_table" in export(lake, empty, model).absent["news"]
    first = export(lake, tables, model, as_of="2023-06-01")
    assert first.absent["news"].startswith("none of 0 articles by as_of can be used")


def test_a_bad_model_stops_the_export_in_one_line(tables: Path, lake: Path, tmp_path: Path) -> None:
    bad = write_model(tmp_path / "bad")
    (bad / "config.json").unlink()
    with pytest.raises(UsageError, match=r"no config\.json"):
        export(lake, tables, bad)


def run(command: Any, *arguments: str) -> str:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False).stdout


def test_the_command_shows_what_was_read_and_why_there_is_no_sentiment(
    tables: Path, lake: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--warehouse", str(tables), "--lake", str(lake)]
    monkeypatch.delenv("CBI_FINBERT", raising=False)
    assert NO_WEIGHTS in run(news, *arguments)
    assert f"without news: {NO_WEIGHTS}" in run(quality, "--warehouse", str(tables))
    monkeypatch.setenv("CBI_FINBERT", str(model))
    shown = run(news, *arguments)
    assert "no column ingested_at" in shown
    assert "missing_table" in shown
    assert "Sentiment of " in shown
    assert "tiny/model.onnx" in shown
    found = json.loads(run(news, *arguments, "--json"))
    assert found["latest"]["count"] > 0
    assert -1 <= found["latest"]["sentiment"] <= 1
    assert found["tables"][TABLE]["read"] == found["articles"]
    assert "without news" not in run(quality, "--warehouse", str(tables))


def test_the_service_hands_the_setting_to_its_child(tables: Path, model: Path, tmp_path: Path) -> None:
    kit = make_kit(tmp_path, jobs={"ingest.jobs:export": jobs.export}, warehouse=str(tables), finbert=str(model))
    asked = envelope(DataRequested(market="zl", profile="smoke", datasets=("trump_rich",)))
    (sent,) = asyncio.run(Handlers(kit).export(asked))
    assert isinstance(sent.data, DataExported)
    assert sent.data.news is not None


def test_a_market_without_news_says_so() -> None:
    with pytest.raises(UsageError, match="no news"):
        CliRunner().invoke(news, ["--market", "wti", "--warehouse", "arch"], catch_exceptions=False)


@pytest.mark.real_data
def test_of_the_owners_articles_few_can_be_read_and_each_loss_has_its_reason(
    real_warehouse: Path, tmp_path: Path
) -> None:
    asked = {"lake": str(tmp_path), "warehouse": str(real_warehouse), "market": "zl", "finbert": None, "as_of": None}
    found = jobs.news(asked)
    read = {name.partition(".")[2]: counts["read"] for name, counts in found["tables"].items()}
    assert read == {
        "news_advanced": 223,
        "news_ultra_aggressive": 33,
        "breaking_news_hourly": 480,
        "trump_policy_intelligence": 450,
    }
    for counts in found["tables"].values():
        assert counts["kept"] + sum(counts["removed"].values()) == counts["read"]
    hourly = found["tables"]["forecasting_data_warehouse.breaking_news_hourly"]["removed"]
    assert hourly["language"] > 200
    # Times of scraping, a template's date of 2017 and a date after the load: none of them is taken for publication.
    assert found["first"] > "2025-04-01"
    market_data_end = jobs.news({**asked, "as_of": "2025-05-16"})
    assert 0 < market_data_end["articles"] < 20
