"""What the runbook tells a person to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml

from cbi_common.runtime.cli import program
from cbi_common.runtime.settings import Settings

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`cbi ([a-z][^`]*)`", RUNBOOK)))
_OPTION = r"(?: --?[\w-]+(?: (?:\d+\w?|[\w-]+=\d+))?)"
CONTAINERS = set(re.findall(rf"docker compose (?:logs|restart|up){_OPTION}* ([a-z][a-z-]+)", RUNBOOK))


def test_the_runbook_has_commands() -> None:
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_and_its_options_exist(line: str) -> None:
    words = line.split()
    command: click.Command | None = program
    context = click.Context(program)
    while words and isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    assert command is not None, line
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"\bCBI_[A-Z_]+", RUNBOOK))
    assert named
    assert named <= {f"CBI_{field.upper()}" for field in Settings.model_fields}


def test_every_container_that_is_named_exists() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert {"monitor", "nats", "alertmanager"} <= CONTAINERS
    assert set(services) >= CONTAINERS


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"\b(?:docs|deploy|tests)/[\w./-]*\w", RUNBOOK))
    there = {name for name in named if (ROOT / name).exists()}
    assert named - there <= {"deploy/prometheus/targets/mac.yml"}, "a person makes that one"
