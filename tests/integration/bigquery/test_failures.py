"""A BigQuery that refuses, fails or hangs ends in one line, within the time that was stated."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, TransientError
from cbi_common.runtime.commands.one_pass import Request
from cbi_common.runtime.settings import Settings
from cbi_common.storage.results import open_results
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.testing.bigquery import Emulator

TIMEOUT_S = 1.0
SLACK_S = 2.0  # a busy machine


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = b'{"error": {"message": "so it is", "errors": [{"reason": "x"}]}}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def hanging() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def gone() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield port


def failure(act: Callable[[], object]) -> tuple[CbiError, float]:
    started = time.monotonic()
    with pytest.raises(CbiError) as caught:
        act()
    assert "\n" not in caught.value.line()
    return caught.value, time.monotonic() - started


@pytest.mark.parametrize(
    "server", [lambda: answering(500), lambda: answering(503), hanging, gone], ids=["500", "503", "hangs", "gone"]
)
def test_a_server_that_does_not_answer_is_given_up_in_the_stated_time(server: Callable[[], Any]) -> None:
    with server() as port:
        place = f"endpoint=http://127.0.0.1:{port}&storage=127.0.0.1:{port}&timeout_s={TIMEOUT_S}"
        warehouse, store = (
            opened(f"bigquery://some-project{dataset}?{place}")
            for opened, dataset in ((open_warehouse, ""), (open_results, "/cbi_results"))
        )
        for act in (warehouse.tables, lambda: warehouse.read("shop.tea"), store.prepare):
            error, seconds = failure(act)
            assert isinstance(error, TransientError)
            assert "does not answer within 1 s" in error.what
            assert seconds < TIMEOUT_S + SLACK_S


def test_a_stream_that_stands_still_is_given_up_in_the_stated_time(emulator: Emulator) -> None:
    emulator.load("shop.tea", pa.table({"n": [1]}), project="still-project")
    with hanging() as port:
        rest = emulator.settings["CBI_BIGQUERY_ENDPOINT"]
        url = f"bigquery://still-project?endpoint={rest}&storage=127.0.0.1:{port}&timeout_s={TIMEOUT_S}"
        error, seconds = failure(lambda: open_warehouse(url).read("shop.tea"))
    assert isinstance(error, TransientError)
    assert seconds < TIMEOUT_S + SLACK_S


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [(403, InfrastructureError, "not allowed.*roles in docs/data.md"),
     (404, DataError, "no such table"), (400, DataError, "BigQuery refuses")],
)  # fmt: skip
def test_a_refusal_is_final_at_once(status: int, kind: type[CbiError], says: str) -> None:
    with answering(status) as port:
        place = f"endpoint=http://127.0.0.1:{port}&storage=127.0.0.1:{port}"
        error, seconds = failure(lambda: open_warehouse(f"bigquery://some-project?{place}").read("shop.tea"))
    assert isinstance(error, kind)
    assert re.search(says, error.line())
    assert seconds < SLACK_S


def test_results_that_cannot_be_kept_are_said_before_anything_is_trained(tmp_path: Path) -> None:
    with answering(403) as port:
        kept = f"bigquery://some-project?endpoint=http://127.0.0.1:{port}&storage=127.0.0.1:{port}"
        settings = Settings.load(warehouse="simulated?sessions=400", results=kept, lake=str(tmp_path))
        error, _ = failure(Request(settings=settings, profile="smoke", as_of=None).event)
    assert isinstance(error, InfrastructureError)
    assert (error.exit_code, list(tmp_path.iterdir())) == (5, [])


def test_no_credentials_is_one_line_and_exit_code_5(tmp_path: Path) -> None:
    """As a user sees it: `cbi` in an environment without any of the places where Google looks."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CBI_", "GOOGLE_", "CLOUDSDK_", "BIGQUERY_"))}
    program = Path(sys.executable).parent / "cbi"
    done = subprocess.run(
        [str(program), "warehouse", "--warehouse", "bigquery://some-project"],
        env={**clean, "HOME": str(tmp_path), "NO_GCE_CHECK": "true"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        "cbi: bigquery://some-project: no Google credentials; "
        "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS\n"
    )
