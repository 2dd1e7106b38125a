"""Dashboards are what the code makes of them, and ask for what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbi_common.runtime import telemetry
from cbi_common.runtime.telemetry import REGISTRY
from monitor.domain.gauges.everything import FAMILIES

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OTHERS = {"up", "ALERTS"}


def panels(board: Path) -> list[dict[str, Any]]:
    found = json.loads(board.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def known() -> set[str]:
    """Return every series that processes and rules give."""
    counted = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    declared = {
        f"{metric.name}{suffix}" for metric in REGISTRY.collect() for suffix in ("", "_total", "_bucket", "_sum")
    }
    counts = {f"{metric.name}_count" for metric in REGISTRY.collect()}
    files = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "deploy/prometheus/rules").glob("*.yml")
    ]
    recorded = {rule.get("record") for file in files for group in file["groups"] for rule in group["rules"]}
    return {*counted, *declared, *counts, *(family.name for family in FAMILIES), *recorded, *OTHERS}


def names(expr: str) -> set[str]:
    """Return the series that an expression names."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without)\s*\([^)]*\)', "", expr)
    return set(re.findall(r"\b(?:[a-z_]+:)?(?:cbi_|process_)[a-z_0-9:]+|\bup\b|\bALERTS\b", bare))


def test_the_dashboards_are_what_the_code_makes_of_them(tmp_path: Path) -> None:
    command = [sys.executable, str(GRAFANA / "generate.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=240)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in (GRAFANA / "dashboards").iterdir()}
    assert made == kept, "run `make dashboards`"


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_series_that_there_are(board: Path) -> None:
    there = known()
    for panel in panels(board):
        for target in panel["targets"]:
            asked = names(target["expr"])
            assert asked, target["expr"]
            assert asked <= there, f"{panel['title']}: {asked - there}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_panel_says_what_it_shows_and_what_to_read(board: Path) -> None:
    headings = set(re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE))
    for panel in panels(board):
        assert len(panel["description"]) > 5, panel["title"]
        for heading in re.findall(r"docs/operations\.md, ([^.]+)\.$", panel["description"]):
            assert heading in headings, panel["title"]


def test_no_two_dashboards_or_panels_are_taken_for_each_other() -> None:
    boards = [json.loads(board.read_text(encoding="utf-8")) for board in BOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 6
    for path in BOARDS:
        ids = [panel["id"] for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]]
        assert len(set(ids)) == len(ids)


def test_the_provisioned_source_is_the_one_that_panels_name() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    named = {panel["datasource"]["uid"] for board in BOARDS for panel in panels(board)}
    assert named == {source["uid"] for source in sources["datasources"]}


def test_the_runbook_names_every_dashboard_and_every_metric() -> None:
    for board in BOARDS:
        assert json.loads(board.read_text(encoding="utf-8"))["title"] in RUNBOOK
    own = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("cbi_")}
    counters = {name for name in own if f"`{name}_total`" in RUNBOOK}
    assert {name for name in own - counters if f"`{name}`" not in RUNBOOK} == set()
    assert {family.name for family in FAMILIES if f"`{family.name}`" not in RUNBOOK} == set()


def test_the_runbook_names_no_metric_that_is_not_there() -> None:
    told = set(re.findall(r"`(cbi_[a-z_]+)`", RUNBOOK))
    assert told <= known(), told - known()


def test_metrics_are_named_by_the_conventions_of_prometheus() -> None:
    families = {family.name: family.kind for family in FAMILIES}
    own = {name: "counter" if name.endswith("_total") else "gauge" for name in telemetry_names()}
    for name, kind in {**families, **own}.items():
        assert re.fullmatch(r"cbi_[a-z][a-z0-9_]*", name)
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(mb|megabytes|ms|milliseconds|minutes|hours|days|percent)(_|$)", name), name


def telemetry_names() -> set[str]:
    kept = [metric for metric in REGISTRY.collect() if metric.name.startswith("cbi_")]
    return {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in kept}


def test_no_label_holds_an_id() -> None:
    ids = {"id", "run", "run_id", "event", "correlation", "message", "sequence", "key", "reason", "error"}
    for family in FAMILIES:
        assert ids.isdisjoint(family.labels), family.name
    for metric in (telemetry.HANDLED, telemetry.JOBS, telemetry.HANDLING_SECONDS, telemetry.MAILS, telemetry.FOLDS):
        assert ids.isdisjoint(metric._labelnames)
