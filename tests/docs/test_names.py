"""What the documents name is there: files, names in them, variables, pages and headings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from cbi_common.reporting.report import Report
from cbi_common.runtime.settings import Settings
from cbi_common.testing.documents import Document, documents

ROOT = Path(__file__).parents[2]
DOCUMENTS = documents(ROOT)
LIBRARY = ROOT / "libs/cbi_common/src/cbi_common"
PLACES = (ROOT, LIBRARY, *sorted(ROOT.glob("services/*/src")))
CHOSEN = {"deploy/prometheus/targets/mac.yml"}
"""Files that the reader makes."""
TOP = {"docs", "tests", "libs", "services", "deploy", ".ci"}
INSIDE = {path.name for place in PLACES[1:] for path in place.iterdir() if path.is_dir()}
NAMED = re.compile(
    r"(?<![\w/])(?:\.ci|docs|tests|libs|services|deploy)/[\w./-]*\w\.(?:py|md|toml|ya?ml|json|sh|conf|png|env|plist)\b"
)
PATH = re.compile(r"([\w.-]+(?:/[\w.-]+)+/?)(?::(\w+(?:\.\w+)*))?")
each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


@each
def test_links_lead_somewhere(document: Document) -> None:
    by_path = {one.path.resolve(): one for one in DOCUMENTS}
    broken = []
    for line, target in document.links():
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        place = (document.path.parent / name).resolve() if name else document.path.resolve()
        if not place.exists() or (anchor and anchor not in by_path[place].anchors()):
            broken.append(f"{document.name}:{line} {target}")
    assert broken == []


@each
def test_files_and_names_in_them_exist(document: Document) -> None:
    assert list(_missing(document)) == []


@each
def test_variables_are_settings_or_set_somewhere(document: Document) -> None:
    known = {f"CBI_{name.upper()}" for name in Settings.model_fields} | _set_elsewhere()
    unknown = {
        name
        for name in document.variables()
        if not (any(k.startswith(name) for k in known) if name.endswith("_") else name in known)
    }
    assert unknown == set()


def test_the_architecture_names_every_key_of_the_report() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert [key for key in Report.model_fields if f"`{key}`" not in text] == []


def test_the_architecture_names_every_layer_and_service() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    layers = [path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()]
    assert [layer for layer in layers if f"`{layer}/`" not in text] == []
    assert [path.name for path in (ROOT / "services").iterdir() if path.is_dir() and path.name not in text] == []


def test_the_playbook_names_every_alert_and_every_page_is_named_where_a_reader_begins() -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("deploy/prometheus/rules/*.y*ml"))
    playbook = (ROOT / "docs/playbook.md").read_text(encoding="utf-8")
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert alerts
    assert [alert for alert in sorted(alerts) if f"[{alert}](operations.md#{alert.lower()})" not in playbook] == []
    shown = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "Makefile"))
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if page not in shown] == []


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    rows = re.findall(
        r"^\| (1w|1m|3m|6m|12m) \|(.*)\|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    results = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    known: dict[str, set[str]] = {}
    for horizon, cells in re.findall(r"^\| (1w|1m|3m|6m|12m) \|(.*)\|$", results, re.MULTILINE):
        known.setdefault(horizon, set()).update(cell.strip() for cell in cells.split("|"))
    assert [horizon for horizon, _ in rows] == ["1w", "1m", "3m", "6m", "12m"]
    for horizon, cells in rows:
        assert {cell.strip() for cell in cells.split("|")} <= known[horizon], horizon


def _set_elsewhere() -> set[str]:
    """Names that the containers, the Mac's installer and the tests' own machines know; no service reads them."""
    files = [ROOT / "compose.yaml", ROOT / "Makefile", ROOT / "Dockerfile", *ROOT.glob("deploy/**/*")]
    files += [*ROOT.glob("services/*/macos/*"), *LIBRARY.glob("runtime/*.py")]
    texts = [
        path.read_text(encoding="utf-8") for path in files if path.is_file() and path.suffix not in (".png", ".db")
    ]
    return {name for text in texts for name in re.findall(r"\bCBI_[A-Z0-9_]*[A-Z0-9]\b", text)}


def _missing(document: Document) -> Iterator[str]:
    for line in document.lines:
        for named in NAMED.findall(line.text):
            if named not in CHOSEN and not (ROOT / named).exists() and not (document.path.parent / named).exists():
                yield f"{document.name}:{line.number} {named}"
    for number, code in document.code():
        match = PATH.fullmatch(code)
        if match is None or match[1] in CHOSEN or not _ours(match[1]):
            continue
        found = [place / match[1] for place in PLACES if (place / match[1]).exists()]
        if not found:
            yield f"{document.name}:{number} {code}"
        elif match[2] and not _defines(found[0], match[2]):
            yield f"{document.name}:{number} {code} has no {match[2]}"


def _ours(path: str) -> bool:
    first, *_, last = path.split("/")
    if last.partition(".")[0].isupper():  # a name that the reader chooses
        return False
    return first in TOP or (first in INSIDE and (not last or "." in last))


def _defines(path: Path, name: str) -> bool:
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        node = next((one for one in body if part in _names(one)), None)
        if node is None:
            return False
        body = getattr(node, "body", [])
    return True


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
