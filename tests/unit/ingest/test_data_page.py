"""docs/data.md says what the gate can say, check by check, and what a market file may say, field by field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cbi_common.markets.flaws import FLAWS
from cbi_common.markets.spec import SeriesSpec

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \|(.+)\|(.+)\|(.+)\|$", re.MULTILINE)

AGREED = set(
    re.findall(
        r"\w+",
        """
    frozen_tail frozen_run source_mismatch target_before_outcome other_target target_units duplicate_row
    conflicting_duplicate multiplied_rows weekend_row non_session_row calendar_hole all_null constant placeholder
    opening_run identical_columns unit_break mislabelled zero_as_missing non_positive ohlc_order stale load_time_as_date
    modelled empty_table reference_date markup injection thin_volume unsorted null_value out_of_range several_sources
    unconfirmed_jump missing_table missing_column wrong_type unreadable bad_date no_usable_value history as_of
    """,
    )
)
"""Names that other programs may rely on."""


def checks_on_the_page() -> dict[str, tuple[str, str, str]]:
    section = PAGE[PAGE.index("## 3.") : PAGE.index("## 4.")]
    return {name: (means, matters, does) for name, means, matters, does in ROW.findall(section)}


def checks_in_the_code() -> Iterator[str]:
    """Yield every name that ingest gives to a flaw: the first argument of ``Flaw`` and of ``flaws``."""
    for file in (ROOT / "services" / "ingest" / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _called(node.func) in {"Flaw", "flaws", "flaw"}:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_page_explains_exactly_the_agreed_checks() -> None:
    assert set(checks_on_the_page()) == AGREED
    assert all(part.strip() for row in checks_on_the_page().values() for part in row)


def test_the_gate_raises_nothing_that_the_page_does_not_explain() -> None:
    raised = set(checks_in_the_code())
    assert {"null_value", "frozen_tail", "missing_table", "history"} <= raised
    assert raised <= AGREED


def test_every_flaw_of_the_corpus_is_explained() -> None:
    assert {flaw.check for flaw in FLAWS.values()} <= set(checks_on_the_page())


def test_every_field_of_a_series_is_explained() -> None:
    section = PAGE[PAGE.index("## 2.") : PAGE.index("## 3.")]
    fields = set(SeriesSpec.model_fields) - {"name", "table", "date"}
    assert {field for field in fields if f"`{field}`" not in section} == set()


def test_commands_and_files_on_the_page_exist() -> None:
    commands = set(re.findall(r"`?cbi ([a-z]+)", PAGE)) - {"up"}
    entry_points = (ROOT / "services" / "ingest" / "pyproject.toml").read_text(encoding="utf-8")
    own = {file.stem for file in (ROOT / "libs/cbi_common/src/cbi_common/runtime/commands").glob("*.py")}
    assert {name for name in commands if name not in own and f"{name} = " not in entry_points} == set()
    files = re.findall(r"`((?:libs|tests|docs|services)/[\w/.]+\.\w+)`", PAGE)
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []
