"""Tables reach their place on the page, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbi_common.testing.page import table, write_section
from cbi_common.testing.repeats import Repeats, in_turn

PAGE = "# Page\n\n<!-- bench:a -->\nold\n<!-- end -->\n\nprose\n\n<!-- bench:b -->\n<!-- end -->\n"


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_section("b", table(("x",), [("1",)]), page)
    write_section("a", r"\1 new", page)
    written = page.read_text()
    assert written.startswith("# Page\n\n<!-- bench:a -->\n\\1 new\n\n*")
    assert "old" not in written
    assert "\n\nprose\n\n<!-- bench:b -->\n| x |\n|---|\n| 1 |\n" in written


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(LookupError, match="0 places for bench:c"):
        write_section("c", "text", page)
    assert page.read_text() == PAGE


def test_measurements_are_taken_in_turn() -> None:
    order: list[str] = []

    def measure(name: str, value: float) -> float:
        order.append(name)
        return value

    found = in_turn([lambda: measure("a", 4.0), lambda: measure("b", 2.0)], 2)
    assert order == ["a", "b", "a", "b"]
    assert found[0].over(found[1]) == Repeats((2.0, 2.0))
