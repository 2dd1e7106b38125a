"""What a process counts by itself: jobs by how they ended, readiness, and what has not happened yet as 0."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from starlette.testclient import TestClient

from cbi_common.core.errors import DataError
from cbi_common.runtime import telemetry
from cbi_common.runtime.ops import ops_app
from cbi_common.runtime.telemetry import REGISTRY
from cbi_common.runtime.workers import Workers

JOBS = "cbi_common.testing.jobs"


def value(series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} (\S+)$", generate_latest(REGISTRY).decode(), re.MULTILINE)
    return float(found[1]) if found else None


def ended(job: str, outcome: str) -> float:
    return value(f'cbi_jobs_total{{entry="{JOBS}:{job}",outcome="{outcome}"}}') or 0.0


def test_a_job_that_is_done_is_counted_with_its_time_and_memory() -> None:
    before = ended("double", "done"), value(f'cbi_job_seconds_count{{entry="{JOBS}:double"}}') or 0.0
    asyncio.run(Workers(1, 30).run(f"{JOBS}:double", {"n": 1}))
    assert ended("double", "done") == before[0] + 1
    assert value(f'cbi_job_seconds_count{{entry="{JOBS}:double"}}') == before[1] + 1
    peak = value(f'cbi_job_peak_bytes_sum{{entry="{JOBS}:double"}}')
    assert peak is not None
    assert peak > 1 << 20, "bytes"
    assert value("cbi_jobs_running") == value("cbi_jobs_waiting") == 0


def test_a_job_that_fails_is_counted_as_failed_and_not_as_done() -> None:
    before = ended("refuse", "failed")
    with pytest.raises(DataError):
        asyncio.run(Workers(1, 30).run(f"{JOBS}:refuse", {}))
    assert ended("refuse", "failed") == before + 1
    assert ended("refuse", "done") == 0


def test_a_job_that_is_killed_is_counted_each_time(tmp_path: Path) -> None:
    killed, done = ended("killed_until", "killed"), ended("killed_until", "done")
    asyncio.run(Workers(1, 30).run(f"{JOBS}:killed_until", {"folder": str(tmp_path), "times": 2}))
    assert ended("killed_until", "killed") == killed + 2
    assert ended("killed_until", "done") == done + 1


def test_what_a_subscription_has_not_done_yet_is_zero() -> None:
    telemetry.expect_messages("nobody", "test.asked", "answer")
    for outcome in telemetry.OUTCOMES:
        assert value(f'cbi_messages_handled_total{{outcome="{outcome}",service="nobody",subject="test.asked"}}') == 0
    assert value('cbi_dead_letters_total{service="nobody",subject="test.asked"}') == 0


@pytest.mark.parametrize("ready", [True, False])
def test_readiness_is_that_of_the_moment(ready: bool) -> None:
    text = TestClient(ops_app(lambda: {"somebody": ready})).get("/metrics").text
    assert f'cbi_service_ready{{service="somebody"}} {float(ready)}' in text


def test_no_series_is_shown_beside_each_counter() -> None:
    assert "_created" not in generate_latest(REGISTRY).decode()
