"""A table is streamed: memory follows one batch and not the table. Measured in a process of its own, by the kernel."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cbi_common.testing.bigquery import Emulator

ROWS = 6_000_000
BYTES = ROWS * 2 * 8
_MAKE = """
CREATE OR REPLACE TABLE `long-project.shop.long` AS
SELECT n, n / 7 AS x FROM UNNEST(GENERATE_ARRAY(1, 3000)) AS a, UNNEST(GENERATE_ARRAY(a * 2000 - 1999, a * 2000)) AS n
"""
_READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
from cbi_common.storage.warehouse import open_warehouse

def high_water_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024

warehouse = open_warehouse(sys.argv[1])
first = next(warehouse.batches("shop.long", ("n",)))
before, rows, longest, total = high_water_mb(), 0, 0, 0
for batch in warehouse.batches("shop.long", ("n", "x")):
    rows, total, longest = rows + batch.num_rows, total + batch.nbytes, max(longest, batch.nbytes)
print(json.dumps({"rows": rows, "total": total, "longest": longest, "grown_mb": high_water_mb() - before}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's high-water mark is Linux's")
def test_memory_follows_the_batch_and_not_the_table(emulator: Emulator) -> None:
    client = emulator.client("long-project")
    client.create_dataset("shop", exists_ok=True)
    client.query(_MAKE).result(timeout=60)
    answer = subprocess.run(
        [sys.executable, "-c", _READ, emulator.url("long-project")],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    found = json.loads(answer.stdout)
    assert (found["rows"], found["total"]) == (ROWS, BYTES)
    assert found["longest"] <= 10 * 2**20
    assert found["grown_mb"] < BYTES / 2**20 / 2
