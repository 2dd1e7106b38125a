"""`.env.example` explains every setting, says its default, and compose.yaml hands it on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbi_common.runtime.settings import Settings

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]

SETTABLE = dict(re.findall(r"^#([A-Z][A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
GIVEN = set(re.findall(r"^# (CBI_[A-Z_]+) ", EXAMPLE, re.MULTILINE))
HANDED = {(name, default) for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE)}
STACKS_OWN = {"CBI_TRACKING", "CBI_SCHEDULE_FIRST", "CBI_SCHEDULES", "CBI_LOG_FORMAT", "CBI_DASHBOARD_GATEWAY"}
"""Where the stack's default is another than the program's."""


def shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_every_setting_is_explained_once() -> None:
    known = {f"CBI_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in SETTABLE if name.startswith("CBI_")} | GIVEN == known
    assert not GIVEN & SETTABLE.keys()


def test_what_can_be_set_is_handed_on_and_what_is_handed_on_can_be_set() -> None:
    assert {name for name, _ in HANDED} == SETTABLE.keys()


def test_the_defaults_are_those_of_the_program_but_for_the_stacks_own() -> None:
    programs = {f"CBI_{name.upper()}": shown(field.default) for name, field in Settings.model_fields.items()}
    other = {name for name in SETTABLE if name in programs and SETTABLE[name] != programs[name]}
    assert other == STACKS_OWN


def test_a_default_stands_in_one_place() -> None:
    for name, default in HANDED:
        if default not in ("", "nothing") and not default.startswith("/run/nothing"):
            assert SETTABLE[name] == default


def test_a_variable_that_is_handed_on_empty_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTABLE:
        monkeypatch.setenv(name, "")
    assert Settings() == Settings.model_construct()


def test_secrets_reach_only_who_needs_them() -> None:
    def holders(variable: str) -> set[str]:
        return {name for name, one in SERVICES.items() if variable in one.get("environment", {})}

    assert holders("CBI_SMTP_PASSWORD") == holders("CBI_SMTP_PASSWORD_FILE") == {"monitor"}
    assert holders("CBI_DASHBOARD_TOKEN") == holders("CBI_DASHBOARD_TOKEN_FILE") == {"dashboard"}
