"""A real Prometheus scrapes a real run: every panel and every rule has an answer, and an alert reaches a mailbox."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from math import isnan
from pathlib import Path
from random import randrange
from typing import Any

import httpx2 as httpx
import pytest

from cbi_common.core.clock import system_clock
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.settings import Settings
from cbi_common.testing.bench import eventually
from cbi_common.testing.folders import write_simulated_folder
from cbi_common.testing.post import Office, office

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
PATIENCE_S = 500.0
"""A run takes half a minute of two free cores; others may want them too."""


@dataclass(frozen=True)
class Watched:
    """What is known of the run once everything has been looked at."""

    empty: dict[str, str]
    """Panel to the query that has no answer."""
    unanswered: dict[str, str]
    """Rule to what is wrong with it."""
    rules: int
    panels: int
    samples: float
    """Of one scrape."""
    mail: EmailMessage
    firing: dict[str, Any]


@pytest.mark.timeout(900)
def test_every_panel_and_rule_has_an_answer_and_an_alert_reaches_a_mailbox(tmp_path: Path) -> None:
    with office(tmp_path, "none", login=False) as post:
        found = asyncio.run(watch(tmp_path, post))
    assert found.panels > 60
    assert found.empty == {}
    assert found.samples < 4_000, "names only: no id of a run or an event is a label"
    assert found.rules > 30
    assert found.unanswered == {}
    assert "DeadLettersKept" in found.mail["Subject"]
    assert found.mail["To"] == "operator@cbi.localhost"
    text = found.mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "1 messages that ingest--export gave up wait to be sent again." in text
    assert "docs/operations.md#deadletterskept" in text
    assert found.firing["labels"]["severity"] == "critical"


async def watch(folder: Path, post: Office) -> Watched:
    tables = folder / "tables"
    write_simulated_folder(tables, sessions=1500, seed=5)
    ports = dict(zip(("ops", "prometheus", "alertmanager"), free_ports(3), strict=True))
    settings = Settings.load(lake=str(folder / "lake"), warehouse=str(tables), ops_port=ports["ops"], tracking="off")
    configure(folder, ports, post.port)
    async with (
        Stack(settings) as stack,
        alertmanager(folder, ports["alertmanager"]),
        prometheus(folder, ports["prometheus"]) as http,
    ):
        await eventually(lambda: answer(http, 'min(up{job="cbi"}) == 1', pause_s=0.5), within_s=PATIENCE_S)
        # What breaks its contract is given up at once, which is what the alert is about.
        await stack.bus.send("data.requested", b'{"market": 7}')
        asked = DataRequested(market="zl", profile="smoke", reason="test")
        await stack.bus.publish(Envelope.first(asked, source="test", now=system_clock(), event_id="watched"))
        await eventually(
            lambda: answer(http, 'cbi_newest_run{outcome="done"} == 1 and on () cbi_score_forecasts', pause_s=1),
            within_s=PATIENCE_S,
        )
        empty = await still_empty(http)
        firing = await eventually(lambda: alert_of(http, "DeadLettersKept"), within_s=PATIENCE_S)
        unanswered, rules = await rules_of(http)
        mail = await eventually(lambda: mail_about("DeadLettersKept", post), within_s=PATIENCE_S)
        samples = await eventually(lambda: answer(http, 'scrape_samples_scraped{job="cbi"}'))
        return Watched(empty, unanswered, rules, len(queries()), float(samples[0]["value"][1]), mail, firing)


async def still_empty(http: httpx.AsyncClient) -> dict[str, str]:
    """Return the panels without an answer, once there are none or patience ends."""
    clock = asyncio.get_running_loop().time
    give_up = clock() + PATIENCE_S / 4
    while True:
        empty = {panel: expr for panel, expr in queries().items() if await answer(http, expr) is None}
        if not empty or clock() > give_up:
            return empty
        await asyncio.sleep(0.5)


def queries() -> dict[str, str]:
    """Return what every panel asks, with every market chosen."""
    found = {}
    for board in BOARDS:
        for panel in json.loads(board.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                found[f"{board.stem}/{panel['title']}/{target['refId']}"] = target["expr"].replace("$market", ".*")
    return found


async def answer(http: httpx.AsyncClient, expr: str, *, pause_s: float = 0.0) -> list[Any] | None:
    """Return, after a pause, the series of an expression that have a number, None when there are none."""
    await asyncio.sleep(pause_s)  # what is asked over and over must not take the machine from what it waits for
    response = await http.post("/api/v1/query", data={"query": expr})
    told = response.json()
    assert told["status"] == "success", f"{expr}: {told}"
    return [series for series in told["data"]["result"] if not isnan(float(series["value"][1]))] or None


async def alert_of(http: httpx.AsyncClient, name: str) -> dict[str, Any] | None:
    alerts = (await http.get("/api/v1/alerts")).json()["data"]["alerts"]
    return next((a for a in alerts if a["labels"]["alertname"] == name and a["state"] == "firing"), None)


async def rules_of(http: httpx.AsyncClient) -> tuple[dict[str, str], int]:
    """Return the rules that could not be evaluated, and how many there are."""
    groups = (await http.get("/api/v1/rules")).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"}, len(rules)


async def mail_about(alert: str, post: Office) -> EmailMessage | None:
    return next((mail for mail in post.box.received if alert in str(mail["Subject"])), None)


def configure(folder: Path, ports: dict[str, int], smtp: int) -> None:
    """Write the deployed configuration with this test's ports, and seconds where it says minutes."""
    (folder / "rules").mkdir()
    for rules in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        text = re.sub(r"\bfor: \w+", "for: 1s", rules.read_text(encoding="utf-8"))
        (folder / "rules" / rules.name).write_text(text, encoding="utf-8")
    text = (DEPLOY / "prometheus" / "embedded.yml").read_text(encoding="utf-8")
    places = {"127.0.0.1:9100": "ops", "127.0.0.1:9093": "alertmanager"}
    for place, port in places.items():
        text = text.replace(f'"{place}"', f'"127.0.0.1:{ports[port]}"')
    (folder / "prometheus.yml").write_text(
        text.replace("scrape_interval: 15s", "scrape_interval: 3s").replace(
            "evaluation_interval: 15s", "evaluation_interval: 1s"
        ),
        encoding="utf-8",
    )
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    text = text.replace("mail:1025", f"localhost:{smtp}").replace("group_wait: 30s", "group_wait: 1s")
    (folder / "alertmanager.yml").write_text(text, encoding="utf-8")


@asynccontextmanager
async def running(folder: Path, *command: str) -> AsyncIterator[None]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def prometheus(folder: Path, port: int) -> AsyncIterator[httpx.AsyncClient]:
    command = (
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )  # fmt: skip
    async with running(folder, *command), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        await eventually(lambda: is_ready(http), within_s=60)
        yield http


@asynccontextmanager
async def alertmanager(folder: Path, port: int) -> AsyncIterator[None]:
    command = (
        "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alerts'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    )  # fmt: skip
    async with running(folder, *command), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        await eventually(lambda: is_ready(http), within_s=60)
        yield


async def is_ready(http: httpx.AsyncClient) -> bool | None:
    try:
        return True if (await http.get("/-/ready")).status_code == 200 else None
    except httpx.TransportError:
        return None


def free_ports(count: int) -> list[int]:
    """Return different ports below those that clients get, which might take one before it is listened on."""
    found: list[int] = []
    while len(found) < count:
        port = randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found += [] if port in found else [port]
    return found
