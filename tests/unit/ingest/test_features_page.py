"""docs/features.md says what the market files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets import known_markets, load_market
from ingest import features_page
from ingest.domain.kinds import CALENDAR_KINDS, KINDS
from ingest.domain.kinds.formulas import FORMULAS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "features.md"


def test_the_page_is_as_the_market_files_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert features_page.refreshed(text) == text, f"docs/features.md is stale, refresh it: {features_page.REFRESH}"


def test_every_feature_stands_on_the_page_once() -> None:
    rows = re.findall(r"^\| (\w+) \| .* \| .* \| \d+ \| (?:all|[\dwm ]+) \| .* \|$", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(f.name for name in known_markets() for f in load_market(name).features)


def test_every_kind_has_a_formula_that_uses_all_its_series_and_parameters() -> None:
    assert FORMULAS.keys() == KINDS.keys() | CALENDAR_KINDS.keys()
    for feature in (f for name in known_markets() for f in load_market(name).features):
        fields = set(re.findall(r"{(\w+)}", FORMULAS[feature.kind]))
        wanted = {str(i) for i in range(len(feature.inputs))} | feature.params.keys()
        assert fields | {"years"} == wanted | {"years"}, feature.name


def test_files_that_the_page_names_exist() -> None:
    files = re.findall(r"`((?:libs|tests|docs|services)/[\w/.]+)`", PAGE.read_text())
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_page_is_written_in_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{features_page.BEGIN}\nold\n{features_page.END}\nafter\n")
    features_page.main([str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "\nold\n" not in text
    assert "| zl_return_1 | ln(zl / zl[−1]) | log | 0 | 1w | Return of the day |" in text


@pytest.mark.parametrize("content", [None, "no marks"])
def test_a_page_that_cannot_be_refreshed_is_a_usage_error(tmp_path: Path, content: str | None) -> None:
    page = tmp_path / "page.md"
    if content is not None:
        page.write_text(content)
    with pytest.raises(UsageError, match="features page"):
        features_page.main([str(page)])
