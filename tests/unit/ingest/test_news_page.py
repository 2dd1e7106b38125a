"""docs/data.md says why an article is left out and what a market file may say of news, name by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from cbi_common.markets.news import NewsSpec, SentimentSpec
from ingest.domain.news.articles import Reason

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## 7.") : PAGE.index("## 8.")]


def test_the_page_names_exactly_the_reasons_that_there_are() -> None:
    named = [
        name for row in re.findall(r"^\| (`\w+`.*?) \|", SECTION, re.MULTILINE) for name in re.findall(r"\w+", row)
    ]
    assert named == list(get_args(Reason))


def test_the_example_of_the_page_uses_every_field() -> None:
    example = SECTION[SECTION.index("```toml") : SECTION.index("**When it counts.**")]
    fields = set(NewsSpec.model_fields) | (set(SentimentSpec.model_fields) - {"topics"})
    assert fields <= set(re.findall(r"^(\w+) =", example, re.MULTILINE))
    assert "[sentiment.topics]" in example
