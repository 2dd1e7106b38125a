"""The documents are read right, and the checks that they are put to can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbi_common.testing.documents import Document
from cbi_common.testing.typed import misunderstood

PAGE = """\
# The `cbi` page, and its 2 words

Say `cbi forecast --bands|--volatility`, `cbi explain H [--signs]`, `make`, or [look](other.md#there).

```
CBI_LAKE=x .venv/bin/cbi run --profile \\
  smoke >out.txt    # a remark
cbi status | head -1 && make check      runs and queues
it says nothing of cbi run
```

```toml
cbi = "run"
```

## Twice

## Twice

`CBI_SMTP_…`, `CBI_DASHBOARD_TOKEN_FILE`
"""


@pytest.fixture
def page(tmp_path: Path) -> Document:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return Document(path, "page.md")


def test_commands_are_found_where_they_stand(page: Document) -> None:
    found = [(command.where, " ".join(command.words), command.mentioned) for command in page.commands()]
    assert found == [
        ("page.md:3", "cbi forecast --bands", True),
        ("page.md:3", "cbi forecast --volatility", True),
        ("page.md:3", "cbi explain H --signs", True),
        ("page.md:6", "cbi run --profile smoke", False),
        ("page.md:8", "cbi status", False),
        ("page.md:8", "make check", False),
    ]
    assert [command.environment for command in page.commands()][3] == ("CBI_LAKE",)


def test_links_headings_blocks_and_variables(page: Document) -> None:
    assert list(page.links()) == [(3, "other.md#there")]
    assert page.anchors() == {"the-cbi-page-and-its-2-words", "twice", "twice-1"}
    assert page.blocks("toml") == ['cbi = "run"\n']
    assert page.variables() == {"CBI_LAKE", "CBI_SMTP_", "CBI_DASHBOARD_TOKEN_FILE"}


@pytest.mark.parametrize(
    ("line", "mentioned", "said"),
    [
        ("forecst", True, "no command 'forecst' in cbi"),
        ("dead lst", False, "no command 'lst' in cbi dead"),
        ("forecast --band", True, "No such option '--band'"),
        ("run --profile tiny", True, "'tiny' is not one of"),
        ("run --as-of yesterday", False, "yesterday"),
        ("explain 2m", True, "2m"),
        ("forecast now", True, "unexpected extra argument"),
        ("package", False, "Missing option"),
        ("package", True, ""),
        ("replay --from --to --every", True, ""),
        ("replay --form --to", True, "No such option '--form'"),
        ("run --refits refits.json --as-of DATE", False, ""),
        ("trace --help", False, ""),
        ("--help", False, ""),
    ],
)
def test_a_wrong_line_is_found_and_a_right_one_is_not(line: str, mentioned: bool, said: str, tmp_path: Path) -> None:
    told = misunderstood(line.split(), tmp_path, mentioned=mentioned)
    assert said in told
    assert bool(told) == bool(said)
