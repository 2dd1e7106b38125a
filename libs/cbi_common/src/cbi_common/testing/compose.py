"""The stack of compose.yaml under a project name of its own, by the command line that a user has."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

ROOT = Path(__file__).parents[5]
FILE = ROOT / "compose.yaml"
_PATIENCE_S = 600.0
_ONE_OFF = "com.docker.compose.oneoff"
_Found = TypeVar("_Found")


def services_of(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file as they stand there."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return found


def image_is_here(image: str) -> bool:
    """Return whether an image need not be pulled."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def docker(*words: str, check: bool = True) -> str:
    """Run ``docker`` and return what it says."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def wait_for(what: str, look: Callable[[], _Found | None], patience_s: float = _PATIENCE_S) -> _Found:
    """Return what ``look`` finds, as soon as it finds something."""
    give_up = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < give_up, f"no {what} after {patience_s:.0f} s"
        time.sleep(1)


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Compose:
    """One project.

    Parameters
    ----------
    project : str
        Prefix of everything that it makes.
    environment : mapping
        Settings, as they would stand in ``.env``.
    files : paths
        Further compose files, beside the one of the product.
    """

    def __init__(self, project: str, environment: Mapping[str, str], *files: Path) -> None:
        self.project = project
        self.environment = dict(environment)
        self._files = [word for file in (FILE, *files) for word in ("-f", str(file))]
        modern = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        self._program = ["docker", "compose"] if modern else [shutil.which("docker-compose") or "docker-compose"]

    def __call__(self, *words: str, check: bool = True) -> str:
        """Run a command and return what it says."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CBI_", "STACK_"))}
        done = subprocess.run(
            [*self._program, "-p", self.project, *self._files, "--project-directory", str(ROOT), *words],
            env=clean | self.environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers, those that have ended too."""
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        found = docker("ps", "--all", "--quiet", "--no-trunc", *filters, "--filter", f"label={_ONE_OFF}=False")
        return found.split()

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """Return what Docker knows of a service's containers."""
        return [json.loads(docker("inspect", one))[0] for one in self.containers(service)]

    def execute(self, service: str, *words: str, check: bool = True) -> str:
        """Run a command in a service's first container."""
        return docker("exec", self.containers(service)[0], *words, check=check)
