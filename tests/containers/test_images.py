"""What is in the images, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cbi_common.testing.compose import docker, services_of

pytestmark = pytest.mark.containers

LOOK = """
import importlib.metadata as m, importlib.util as u, json, os, shutil
def writable(path):
    try:
        open(path + "/probe", "w").close()
        return True
    except OSError:
        return False
print(json.dumps({
    "uid": os.getuid(),
    "writable": [p for p in ("/", "/app", "/etc", "/home", "/root", "/usr", "/var", "/tmp", "/lake") if writable(p)],
    "tools": [t for t in ("pip", "pip3", "uv", "gcc", "cc", "make", "curl", "git") if shutil.which(t)],
    "tensorflow": u.find_spec("tensorflow") is not None,
    "pip": u.find_spec("pip") is not None,
    "services": sorted(e.name for e in m.entry_points(group="cbi.services")),
}))
"""
OURS: dict[str, dict[str, str]] = {s["image"]: s["build"]["args"] for s in services_of().values() if "build" in s}
MOST_MB = {"nets": 2000, "common": 1350, "cbi/cli": 1800}  # the program for a person holds what all services need


@pytest.mark.parametrize("image", sorted(OURS))
def test_an_image_holds_its_services_and_no_tools(image: str) -> None:
    locked = ("--read-only", "--cap-drop", "ALL", "--network", "none", "--tmpfs", "/tmp", "--rm")
    found: dict[str, Any] = json.loads(docker("run", *locked, "--entrypoint", "python", image, "-c", LOOK))
    wanted = sorted(OURS[image]["SERVICES"].split())
    nets = OURS[image].get("KIND") == "nets"
    assert found == {
        "uid": 10000, "writable": ["/tmp", "/lake"], "tools": [], "tensorflow": nets, "pip": False, "services": wanted,
    }  # fmt: skip


@pytest.mark.parametrize("image", sorted(OURS))
def test_an_image_is_slim_has_a_health_check_and_a_first_process_that_passes_signals_on(image: str) -> None:
    (known,) = json.loads(docker("image", "inspect", image))
    assert known["Size"] / 1e6 < MOST_MB.get(image, MOST_MB[OURS[image].get("KIND", "common")])
    assert known["Config"]["Healthcheck"]["Test"][0] == "CMD"
    assert known["Config"]["Entrypoint"][0] == "dumb-init"
    assert known["Config"]["User"] == "10000:10000"


def test_a_wrong_setting_is_one_line_and_not_a_traceback() -> None:
    said = docker("run", "--rm", "-e", "CBI_MARKTE=zl", "cbi/regime", "service", "regime", check=False)
    assert said == ""  # it goes to stderr
    code = docker("run", "-d", "-e", "CBI_MARKTE=zl", "cbi/regime", "service", "regime")
    try:
        assert docker("wait", code) == "2"
        log = docker("logs", code, check=False)
        assert "Traceback" not in log
    finally:
        docker("rm", "-f", code)
