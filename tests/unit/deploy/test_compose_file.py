"""What compose.yaml says before anything of it runs: who is given which secret, how each container is locked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbi_common.runtime.accounts import OPERATOR, READER, users
from cbi_common.runtime.schemas import installed

ROOT = Path(__file__).parents[3]
WHOLE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
USER_OF = {"serving": READER, "scenarios": READER, "cli": OPERATOR}
"""Whom a service is on the bus, where that is not its name."""


def secrets(name: str) -> dict[str, str]:
    """Return volume to place of the secrets that a service mounts."""
    mounts = [str(volume).split(":")[:2] for volume in SERVICES[name].get("volumes", ())]
    return {volume: place for volume, place in mounts if volume.startswith("secret-")}


def test_there_is_a_container_for_every_service_and_a_volume_for_every_password() -> None:
    assert {service.name for service in installed()} == OURS - USER_OF.keys()
    everybody = {*users(installed()), "nats", "grafana"}
    assert secrets("passwords") == {f"secret-{user}": f"/secrets/{user}" for user in everybody}
    assert {name for name in WHOLE["volumes"] if name.startswith("secret-")} == secrets("passwords").keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_is_given_its_own_password_and_no_other(name: str) -> None:
    user = USER_OF.get(name, name)
    assert secrets(name) == {f"secret-{user}": "/run/cbi"}
    assert SERVICES[name]["environment"]["CBI_NATS_USER"] == user


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_locked_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"]
    if name == "passwords":
        assert service["network_mode"] == "none"
    else:
        assert "cap_add" not in service
        assert service["user"]
        assert service["pids_limit"]
        assert service["stop_grace_period"] == "30s"


def test_ports_are_published_on_the_loopback_alone() -> None:
    ports = [str(port) for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 8
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{STACK_PORT_[A-Z]+:-\d+\}:\d+", port) for port in ports)


def test_only_the_one_that_makes_the_passwords_starts_without_them() -> None:
    late = {name for name, service in SERVICES.items() if "secret-" in str(service.get("volumes"))} - {"passwords"}
    assert all("passwords" in SERVICES[name]["depends_on"] for name in late)
