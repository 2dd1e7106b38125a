"""What the system takes before it does anything: start, memory at rest, and its images."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cbi_common.runtime.memory import tree_mb
from cbi_common.testing.page import NOTHING, table, write_section
from cbi_common.testing.repeats import Repeats

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

CBI, TIMES = str(Path(sys.executable).parent / "cbi"), 5
Record = Callable[..., None]


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def at_rest(lake: Path) -> tuple[float, float]:
    """Seconds until the embedded stack is up, and the MiB that it then holds, children and bus included."""
    start = time.perf_counter()
    with subprocess.Popen([CBI, "up", "--lake", str(lake), "--port", "0"], stdout=subprocess.PIPE, text=True) as stack:
        try:
            assert stack.stdout is not None
            assert any("services are up" in line for line in stack.stdout)
            taken, held = time.perf_counter() - start, tree_mb(stack.pid)
        finally:
            stack.terminate()
            stack.communicate()  # with nobody to read its last words it would end with an error
    assert stack.returncode == 0
    return taken, held


def test_start_and_memory(tmp_path: Path, record: Record) -> None:
    python = Repeats(tuple(seconds(sys.executable, "-c", "") for _ in range(TIMES)))
    program = Repeats(tuple(seconds(CBI, "--help") for _ in range(TIMES)))
    starts, held = zip(*(at_rest(tmp_path / str(i)) for i in range(TIMES)), strict=True)
    up, memory = Repeats(starts), Repeats(held)
    record("cbi --help, best of 5", min(program.values), "s", budget=0.4)
    record("embedded stack ready, best of 5", min(up.values), "s", budget=5)
    record("cbi --help / python -c ''", program.over(python).middle, "times")
    record("embedded stack up / python -c ''", up.over(python).middle, "times")
    record("embedded stack at rest, PSS", memory.middle, "MB")
    rows = [
        ("`python -c ''`", f"{python} s", "1"),
        ("`cbi --help`", f"{program} s", program.over(python)),
        ("`cbi up`: nine services and their bus", f"{up} s", up.over(python)),
        ("its memory at rest (summed PSS)", f"{memory} MiB", NOTHING),
    ]
    write_section("start", table(("", "median (range)", "times a bare interpreter's"), rows))


def images() -> dict[str, float]:
    """Size in MB of every image that compose.yaml names and this machine has; empty where no Docker answers."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        return {}
    found = {}
    for name in sorted(set(re.findall(r"^\s+image: (\S+)$", Path("compose.yaml").read_text(), re.MULTILINE))):
        told = subprocess.run([docker, "image", "inspect", name], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            found[name] = json.loads(told.stdout)[0]["Size"] / 1e6
    return found


def test_image_sizes(record: Record) -> None:
    found = images()
    rows = [(f"`{name}`", f"{size:,.0f}") for name, size in sorted(found.items(), key=lambda one: one[1])]
    write_section("images", table(("image", "MB"), rows) if rows else "Not measured: no Docker, or no image, here.")
    for name, size in found.items():
        assert size > 1, f"{name} is empty"
        record(f"image {name}", size, "MB")
