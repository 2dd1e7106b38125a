"""`docker compose up` from nothing to a forecast, and through what can happen: one stack, one test after another."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.deadletters import DeadLetter
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.testing.compose import Compose, docker, free_port, image_is_here, services_of, wait_for
from cbi_common.testing.folders import write_simulated_folder

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1500)]

SERVICES = services_of()
OURS = [name for name, service in SERVICES.items() if "build" in service and "profiles" not in service]
STARTED = [n for n, s in SERVICES.items() if "profiles" not in s and (n != "grafana" or image_is_here(s["image"]))]
PORTS = ("DASHBOARD", "NATS", "SERVING", "MLFLOW", "PROMETHEUS", "ALERTMANAGER", "GRAFANA", "MAIL")
MARKET = "simulated?sessions=1500&seed=5"
ENOUGH = {"forecast.ready", "explanation.ready", "gates.judged"}
"""What a pass ends with."""


FILL = """
file = open("/lake/ballast", "wb", 0)
try:
    while file.write(bytes(1 << 16)):
        pass
except OSError as error:
    print(error.strerror)
"""


NEIGHBOUR = """
import urllib.error, urllib.request
try:
    urllib.request.urlopen(urllib.request.Request("http://dashboard:8050/", headers={"host": "127.0.0.1"}))
except urllib.error.HTTPError as error:
    print(error.code)
"""


class Stack:
    """The stack, and what its operator sees of it."""

    def __init__(self, compose: Compose, ports: dict[str, int]) -> None:
        self.compose, self._ports = compose, ports
        self._password = ""

    def get(self, port: str, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self._ports[port]}{path}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def json(self, port: str, path: str) -> Any:
        status, text = self.get(port, path)
        assert status == 200, f"{path}: {status} {text}"
        return json.loads(text)

    def _bus(self) -> Bus:
        self._password = self._password or self.compose("run", "--rm", "-T", "passwords", "show", "operator")
        url = f"nats://127.0.0.1:{self._ports['NATS']}"
        return Bus(Settings.load().with_bus(url, "operator", self._password), "test")

    def events(self, cause: str | None = None) -> list[Envelope[Any]]:
        async def read() -> list[Envelope[Any]]:
            bus = self._bus()
            await bus.connect(timeout_s=60)
            try:
                await bus.declare_streams()  # ingest may not have come so far
                return await Journal(bus).events()
            finally:
                await bus.close()

        return [event for event in asyncio.run(read()) if cause in (None, event.correlationid)]

    def dead_letters(self) -> list[DeadLetter]:
        async def read() -> list[DeadLetter]:
            bus = self._bus()
            await bus.connect(timeout_s=60)
            try:
                return await Journal(bus).dead_letters()
            finally:
                await bus.close()

        return asyncio.run(read())

    def publish(self, subject: str, message: bytes, event_id: str | None = None) -> str:
        """Publish a message and return the id of its event; a bare one is given its id by its place in the stream."""

        async def say() -> int:
            bus = self._bus()
            await bus.connect(timeout_s=60)
            try:
                return await bus.send(subject, message)
            finally:
                await bus.close()

        sequence = asyncio.run(say())
        return event_id or derived_id("EVENTS", "external", str(sequence))

    def ask(self, as_of: date | None = None) -> str:
        data = DataRequested(market="zl", profile="smoke", as_of=as_of, reason="test")
        event: Envelope[Any] = Envelope.first(data, source="test", now=system_clock(), event_id=str(uuid4()))
        return self.publish(event.subject, event.to_json(), event.id)

    def has_told(self, cause: str, *subjects: str) -> bool:
        return set(subjects) <= {e.type for e in self.events(cause) if not getattr(e.data, "provisional", False)}

    def forecast(self, cause: str) -> Any:
        wait_for(f"forecast of {cause}", lambda: self.has_told(cause, *ENOUGH), 900)
        (said,) = [e for e in self.events(cause) if e.type == "forecast.ready" and not e.data.provisional]
        return said.data

    def up(self, *words: str) -> None:
        self.compose("up", "-d", "--no-build", *words, *STARTED)

    def crash(self, service: str) -> None:
        """Kill its process from outside: what Docker itself is told to kill it does not start again."""
        os.kill(self.compose.inspect(service)[0]["State"]["Pid"], signal.SIGKILL)

    def healthy(self) -> bool:
        states = [one["State"] for name in OURS for one in self.compose.inspect(name)]
        return all(state["Running"] and state["Health"]["Status"] == "healthy" for state in states)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    ports = {name: free_port() for name in PORTS}
    settings = {f"STACK_PORT_{name}": str(port) for name, port in ports.items()} | {
        "CBI_WAREHOUSE": MARKET,
        "CBI_SCHEDULE_FIRST": "smoke",
        "CBI_CORES": "2",
        "CBI_ACK_WAIT_S": "5",
        "CBI_MAIL_WAIT_S": "0",
        "CBI_SMTP_HOST": "mail",
        "CBI_SMTP_PORT": "1025",
        "CBI_SMTP_SECURITY": "none",
        "CBI_SMTP_FROM": "cbi@example.com",
        "CBI_SMTP_TO": "kirk@example.com",
    }
    compose = Compose("cbi-test", settings, Path(__file__).with_name("small_lake.yaml"))
    compose("down", "--volumes", "--remove-orphans")
    one = Stack(compose, ports)
    try:
        began = time.monotonic()
        one.up()
        print(f"up after {time.monotonic() - began:.0f} s")
        yield one
    finally:
        if request.session.testsfailed:
            print(compose("ps", check=False))
            print(compose("logs", "--no-color", "--tail", "25", check=False))
        compose("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def first(stack: Stack) -> Any:
    """The forecast that came without a hand."""
    began = time.monotonic()
    (asked,) = wait_for("request for data", lambda: [e for e in stack.events() if e.type == "data.requested"], 300)
    found = stack.forecast(asked.id)
    print(f"the first forecast came {time.monotonic() - began:.0f} s after the start")
    assert asked.data.reason == "first start"
    return found


def test_a_new_stack_shows_a_forecast_of_the_simulated_market(stack: Stack, first: Any) -> None:
    assert first.simulated
    status, page = stack.get("DASHBOARD", "/")
    assert status == 200
    assert "simulated" in page
    shown = stack.json("DASHBOARD", "/api/runs")
    assert shown[0]["run_id"] == first.run_id
    assert stack.get("SERVING", "/health")[0] == 503  # nothing has been promoted
    assert not stack.dead_letters()
    # Also what may fail without harm to the forecast, such as plots for MLflow.
    assert [
        line for line in stack.compose("logs", "--no-color", *OURS).splitlines() if '"level": "ERROR"' in line
    ] == []


def test_everything_is_healthy_locked_down_and_on_the_loopback_alone(stack: Stack, first: Any) -> None:
    wait_for("health", stack.healthy, 300)
    for name in STARTED:
        if name == "passwords":
            continue
        for known in stack.compose.inspect(name):
            host = known["HostConfig"]
            assert host["ReadonlyRootfs"], name
            assert host["CapDrop"] == ["ALL"], name
            assert not host["CapAdd"], name
            assert known["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
            assert host["Memory"] > 0, name
            assert {one["HostIp"] for bound in host["PortBindings"].values() for one in bound} <= {"127.0.0.1"}, name
    for name in OURS:
        assert stack.compose.execute(name, "id", "-u") == "10000", name
        status = stack.compose.execute(name, "cat", "/proc/self/status")
        assert "CapEff:\t0000000000000000" in status, name
        assert "NoNewPrivs:\t1" in status, name
        assert "dumb-init" in stack.compose.execute(name, "cat", "/proc/1/cmdline"), name


def test_each_is_given_its_own_password_and_the_page_answers_nobody_else(stack: Stack, first: Any) -> None:
    passwords = {name: stack.compose.execute(name, "cat", "/run/cbi/password") for name in OURS if name != "scenarios"}
    assert len(set(passwords.values())) == len(passwords)
    assert stack.compose.execute("regime", "ls", "/run/cbi") == "password"
    assert stack.compose.execute("regime", "python", "-c", NEIGHBOUR) == "403"


def test_prometheus_scrapes_every_service_and_mlflow_has_the_models(stack: Stack, first: Any) -> None:
    def all_up() -> bool:
        targets = stack.json("PROMETHEUS", "/api/v1/targets?state=active")["data"]["activeTargets"]
        cbi = {t["labels"]["process"]: t["health"] for t in targets if t["labels"]["job"] == "cbi"}
        watched = {name for name in OURS if name not in ("serving", "scenarios")}
        return set(cbi) == watched and set(cbi.values()) == {"up"}

    wait_for("targets that are up", all_up, 180)
    assert stack.json("PROMETHEUS", "/api/v1/rules")["data"]["groups"]
    assert stack.json("PROMETHEUS", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]

    def tracked() -> bool:
        return "cbi/trees" in stack.get("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=100")[1]

    wait_for("tracked models", tracked, 180)


def test_with_one_variable_a_mounted_folder_is_forecast(stack: Stack, first: Any, tmp_path: Path) -> None:
    write_simulated_folder(tmp_path / "tables", sessions=1500, seed=6)
    stack.compose.environment["CBI_TABLES"] = str(tmp_path / "tables")
    stack.compose.environment.pop("CBI_WAREHOUSE")
    stack.up()
    (known,) = stack.compose.inspect("ingest")
    assert [m["RW"] for m in known["Mounts"] if m["Destination"] == str(tmp_path / "tables")] == [False]
    found = stack.forecast(stack.ask())
    assert found.run_id != first.run_id
    exported = [e.data for e in stack.events() if e.type == "data.exported"]
    assert exported[-1].warehouse == "tables"
    # As somebody would with any client of the bus: no envelope, nothing else in it.
    again = stack.forecast(stack.publish("data.exported", b'{"market": "zl"}'))
    assert again.as_of == found.as_of


def test_a_pass_survives_killed_containers_a_cut_network_and_a_bus_that_starts_anew(stack: Stack, first: Any) -> None:
    stack.up("--scale", "trainer-cpu=3")
    assert len(stack.compose.containers("trainer-cpu")) == 3
    cause = stack.ask(first.as_of - timedelta(weeks=6))
    wait_for("planned training", lambda: "training.planned" in {e.type for e in stack.events(cause)}, 300)
    cut = stack.compose.containers("regime")[0]
    network = f"{stack.compose.project}_bus"
    docker("network", "disconnect", network, cut)
    stack.crash("trainer-cpu")
    stack.crash("ensemble")
    docker("restart", stack.compose.containers("nats")[0])
    stack.crash("trainer-metal")
    docker("network", "connect", "--alias", "regime", network, cut)
    assert stack.forecast(cause).as_of == first.as_of - timedelta(weeks=6)
    assert not stack.dead_letters()
    wait_for("health", stack.healthy, 300)
    stack.up("--scale", "trainer-cpu=1")


def test_a_full_disk_is_said_mailed_and_made_up_for_when_there_is_space(stack: Stack, first: Any) -> None:
    assert stack.compose.execute("ingest", "python", "-c", FILL) == "No space left on device"
    cause = stack.ask(first.as_of - timedelta(weeks=12))
    full = wait_for(
        "dead letter", lambda: [one for one in stack.dead_letters() if one.subject == "data.requested"], 300
    )
    assert [letter.reason for letter in full if "the disk is full" not in letter.reason] == []

    def alerted() -> bool:
        said = [event.data for event in stack.events(cause) if event.type == "alert.raised"]
        return any("the disk is full" in alert.what for alert in said)

    wait_for("alert", alerted, 120)
    wait_for("mail", lambda: stack.json("MAIL", "/api/v1/messages")["total"], 180)
    stack.compose.execute("ingest", "rm", "/lake/ballast")
    for letter in stack.dead_letters():
        stack.compose("run", "--rm", "-T", "cli", "dead", "replay", str(letter.number))
    assert stack.forecast(cause).as_of == first.as_of - timedelta(weeks=12)


def test_told_to_stop_everything_stops_in_time_and_goes_on_where_it_was(stack: Stack, first: Any) -> None:
    cause = stack.ask(first.as_of - timedelta(weeks=18))
    wait_for("planned training", lambda: "training.planned" in {e.type for e in stack.events(cause)}, 300)
    # Somebody has to hold the lake of this test, which lies in memory.
    stopped = [name for name in STARTED if name not in ("passwords", "scenarios")]
    stack.compose("stop", *stopped)
    for name in stopped:
        for known in stack.compose.inspect(name):
            state = known["State"]
            assert not state["Running"], name
            # 137 is a process that had to be killed when its grace was over.
            # The server of predictions ends by the signal itself, when it has answered what it was asked.
            fine = (0,) if name in OURS and name != "serving" else (0, 1, 143)
            assert state["ExitCode"] in fine, f"{name}: {state}"
            assert not state["OOMKilled"], name
    stack.up()
    assert stack.forecast(cause).as_of == first.as_of - timedelta(weeks=18)
    assert [letter for letter in stack.dead_letters() if letter.correlationid == cause] == []
