"""What launchd is given on a Mac, as far as another machine can tell."""

from __future__ import annotations

import os
import plistlib
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
INSTALL = ROOT / "services" / "trainer-metal" / "macos" / "install.sh"


def install(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # In place of launchctl, a program that writes down how it was called.
    spy = home / "launchctl"
    spy.write_text('#!/bin/sh\necho "$@" >> "$HOME/calls"\n')
    spy.chmod(0o755)
    environment = {"HOME": str(home), "LAUNCHCTL": str(spy), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [str(INSTALL), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def settings(home: Path) -> Path:
    return home / ".config" / "cbi" / "metal.env"


def agent(home: Path) -> Path:
    return home / "Library" / "LaunchAgents" / "org.cbi.trainer-metal.plist"


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    install(tmp_path)
    settings(tmp_path).write_text("CBI_NATS_URL=nats://127.0.0.1:4222\nCBI_NATS_PASSWORD=secret\n")
    return tmp_path


def test_the_first_time_it_asks_for_settings_that_only_the_user_can_read(tmp_path: Path) -> None:
    done = install(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "metal.env" in done.stderr
    assert settings(tmp_path).stat().st_mode & 0o777 == 0o600
    assert not agent(tmp_path).exists()
    # Filled in or not, it is never written over; without the bus nothing starts.
    settings(tmp_path).write_text("#CBI_NATS_URL=\nCBI_LAKE=/lake\n")
    again = install(tmp_path)
    assert (again.returncode, "no CBI_NATS_URL" in again.stderr) == (2, True)
    assert "CBI_LAKE=/lake" in settings(tmp_path).read_text()


def test_launchd_is_given_the_service_and_no_secret(ready: Path) -> None:
    done = install(ready)
    assert done.returncode == 0, done.stderr
    plist = plistlib.loads(agent(ready).read_bytes())
    assert plist["Label"] == "org.cbi.trainer-metal"
    assert plist["KeepAlive"] is plist["RunAtLoad"] is True
    assert plist["WorkingDirectory"] == str(ROOT)
    shell, _, command = plist["ProgramArguments"]
    assert shell == "/bin/sh"
    assert f'"{ROOT}/.venv/bin/cbi" service trainer-metal' in command
    assert f'. "{settings(ready)}"' in command
    text = agent(ready).read_text()
    assert "secret" not in text
    assert "4222" not in text
    assert "@" not in text.replace("<!-- @ROOT@ and @HOME@", "").replace("install.sh", "").split("<plist")[1]
    calls = (ready / "calls").read_text().splitlines()
    assert calls[-1] == f"bootstrap gui/{os.getuid()} {agent(ready)}"


def test_the_command_reads_the_settings_and_becomes_the_service(ready: Path, tmp_path: Path) -> None:
    install(ready)
    plist = plistlib.loads(agent(ready).read_bytes())
    fake = tmp_path / "cbi"
    fake.write_text('#!/bin/sh\necho "$@ on $CBI_NATS_URL"\n')
    fake.chmod(0o755)
    command = plist["ProgramArguments"][2].replace(f"{ROOT}/.venv/bin/cbi", str(fake))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "service trainer-metal on nats://127.0.0.1:4222\n"


def test_removed_it_leaves_settings(ready: Path) -> None:
    install(ready)
    done = install(ready, "remove")
    assert done.returncode == 0
    assert not agent(ready).exists()
    assert settings(ready).exists()
    assert f"bootout gui/{os.getuid()}/org.cbi.trainer-metal" in (ready / "calls").read_text()


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="there it installs")
def test_elsewhere_make_metal_says_so_in_one_line() -> None:
    done = subprocess.run(["make", "metal"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("make metal: this is for macOS on Apple silicon")


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("darwin", {"tensorflow==2.18.1", "tensorflow-metal==1.2.0"}),
        ("linux", {"tensorflow-cpu==2.18.1"}),
    ],
)
def test_the_system_decides_which_tensorflow_is_installed(system: str, expected: set[str]) -> None:
    metadata = tomllib.loads((ROOT / "services" / "trainer-metal" / "pyproject.toml").read_text())
    wanted = [Requirement(text) for text in metadata["project"]["dependencies"]]
    found = {
        f"{w.name}{w.specifier}" for w in wanted if w.marker is None or w.marker.evaluate({"sys_platform": system})
    }
    assert {text for text in found if text.startswith("tensorflow")} == expected
    pinned = [Requirement(text) for text in (ROOT / "constraints.txt").read_text().splitlines() if "tensorflow" in text]
    machine = {"sys_platform": system, "platform_machine": "arm64" if system == "darwin" else "x86_64"}
    locked = {f"{p.name}{p.specifier}" for p in pinned if p.marker is None or p.marker.evaluate({**machine})}
    assert expected <= locked
