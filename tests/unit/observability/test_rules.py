"""Rules and routes: promtool and amtool agree with them, and every alert says what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROMETHEUS, ALERTMANAGER = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def told(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def anchors() -> set[str]:
    """Return the anchors of the runbook's headings, as Markdown makes them."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_rules_and_both_configurations_are_sound() -> None:
    told("promtool", "check", "rules", *RULES)
    told("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    told("promtool", "check", "config", PROMETHEUS / "embedded.yml")
    told("amtool", "check-config", ALERTMANAGER)


def test_every_alert_fires_when_it_should_and_not_when_it_should_not() -> None:
    told("promtool", "test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml")))


def test_every_alert_is_tested_both_ways() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PROMETHEUS / "tests").glob("*.yml")]
    cases = [case for file in files for test in file["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == set(ALERTS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_how_bad_what_and_where_to_read(name: str) -> None:
    alert = ALERTS[name]
    told_ = alert["annotations"]
    assert alert["labels"]["severity"] in ("info", "warning", "critical")
    assert set(told_) == {"summary", "description", "runbook"}
    assert "$value" in told_["description"]
    assert told_["runbook"] == f"docs/operations.md#{name.lower()}"
    assert name.lower() in anchors()


def test_a_recorded_series_is_named_by_level_metric_and_operation() -> None:
    names = [rule["record"] for rule in rules() if "record" in rule]
    assert names
    for name in names:
        assert re.fullmatch(r"[a-z_]+:cbi_[a-z_]+:[a-z0-9_]+", name), name


def test_links_within_the_runbook_lead_somewhere() -> None:
    links = set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK))
    assert links
    assert links <= anchors()


@pytest.mark.parametrize(("severity", "receiver"), [("info", "nobody"), ("warning", "mail"), ("critical", "mail")])
def test_info_is_not_mailed_again(severity: str, receiver: str) -> None:
    said = told("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")
    assert said.split() == [receiver]


@pytest.mark.parametrize("config", ["prometheus.yml", "embedded.yml"])
def test_rules_ask_for_jobs_that_are_scraped(config: str) -> None:
    scraped = yaml.safe_load((PROMETHEUS / config).read_text(encoding="utf-8"))["scrape_configs"]
    asked = {job for rule in rules() for job in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert asked == {"cbi"}
    assert asked <= {job["job_name"] for job in scraped}
