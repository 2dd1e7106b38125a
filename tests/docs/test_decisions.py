"""Decisions are listed, short, reasoned, and each names what holds it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/adr"
DECISIONS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
INDEX = dict(re.findall(r"^- \[\d{4}\]\((\S+\.md)\) (.+)$", (FOLDER / "README.md").read_text(), re.MULTILINE))
COLUMNS, LONGEST = 100, 30


def test_the_index_lists_every_decision_once_in_order() -> None:
    assert list(INDEX) == [path.name for path in DECISIONS]
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_is_short_reasoned_and_held(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {path.name[:4]} \S", text)
    assert re.search(r"\*\*(Why|Context|Why not|What it costs|Checkpoints)\b", text)
    held = re.search(r"\*\*(Enforced|Checked) (by|against)\*\*(.*)", text, re.DOTALL)
    assert held is not None
    contract = re.search(r'import-linter contract "(.+?)"', held[3])
    if contract:
        assert f'name = "{contract[1]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    else:
        assert any((ROOT / named).exists() for named in re.findall(r"tests/[\w./-]*\w", held[3]))
    printed = sum(max(1, len(textwrap.wrap(line, COLUMNS))) for line in text.splitlines())
    assert printed <= LONGEST or " Long: " in INDEX[path.name], f"{printed} lines: say why in the index"
