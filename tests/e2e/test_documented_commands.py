"""What the documents tell a reader to look with is typed once, on a run that has been made: every line answers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cbi_common.runtime.cli import main
from cbi_common.runtime.lock import StackLock
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.testing.documents import documents
from cbi_common.testing.typed import misunderstood

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LOOKS = {
    "blend-view", "card", "champion", "cover", "dead", "explain", "forecast", "gates", "leaderboard", "quality",
    "regime", "results", "shadow", "status", "trace", "validate", "warehouse",
}  # fmt: skip
CHANGES = {"add", "need", "import", "withdraw", "replay"}
"""Sub-commands that do more than look."""
OF_THE_LAKE = {"quality", "warehouse", "results", "blend-view"}
"""Commands about tables, which have no option for the lake."""
ELSEWHERE = re.compile(
    r"bigquery://|--pictures|\.toml|--to\b|--from\b|--market wti|--warehouse arch|--over-runs|^dead show"
)
INCOMPLETE = 4


def lines() -> list[str]:
    """Return the distinct lines that only look, with placeholders."""
    found = {}
    for document in documents(ROOT):
        for command in document.commands():
            words = command.words[1:]
            if command.words[0] != "cbi" or not words or words[0] not in LOOKS or set(words) & CHANGES:
                continue
            line = " ".join(words)
            if ELSEWHERE.search(line) or "…" in line or "--help" in line:
                continue
            if not misunderstood(words, ROOT, mentioned=False):  # in a sentence what is known may be left out
                found[line] = command.where
    return sorted(found)


@pytest.fixture(scope="module")
def lake(passed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the run's lake, with its bus up for all lines: to start one for each takes longer than the lines."""
    lake = tmp_path_factory.mktemp("documented") / "lake"
    shutil.copytree(passed.lake, lake, ignore=shutil.ignore_patterns("lock", "stack.json"))
    up, ended = threading.Event(), threading.Event()
    settings = Settings(lake=str(lake))
    lock = StackLock(settings.stack_dir)
    assert lock.try_acquire()

    async def serve() -> None:
        server = NatsServer(settings.stack_dir)
        try:
            await server.start()
            lock.announce(server.connected(settings))
            up.set()
            await asyncio.to_thread(ended.wait)
        finally:
            await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(60)
        yield lake
    finally:
        ended.set()
        thread.join(60)
        lock.release()
    assert not thread.is_alive()


def test_the_documents_show_how_to_look() -> None:
    assert {line.split()[0] for line in lines()} >= LOOKS - {"blend-view", "cover", "results", "warehouse"}
    assert len(lines()) > 30


@pytest.mark.parametrize("line", lines())
def test_the_line_answers(
    line: str,
    lake: Path,
    passed: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CBI_WAREHOUSE", str(folder))
    table = next(iter(passed.report["quality"]["tables"]))
    stand_ins = {"H": "1m", "ID": passed.report["run_id"], "TABLE": table, "NAME": table}
    stand_ins |= dict.fromkeys(("DIR", "tables"), str(folder))
    words = [stand_ins.get(word, word) for word in line.split()]
    of_lake = [] if words[0] in OF_THE_LAKE else ["--lake", str(lake)]
    try:
        code = main([*words, *of_lake])
    except SystemExit as left:
        code = int(left.code or 0)
    told = capsys.readouterr()
    assert code in (0, INCOMPLETE), told.err
    assert told.out.strip() if code == 0 else "; " in told.err
    if "--json" in words and code == 0:
        json.loads(told.out)
