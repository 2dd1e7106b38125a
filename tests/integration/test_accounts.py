"""Every service with a user of its own: a pass needs no right that it lacks, and nobody may say what is not his."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.js.errors import ServerError

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import CbiError, TransientError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.accounts import OPERATOR, accounts, users, variable
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.connection import connect
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.testing.bench import eventually
from cbi_common.testing.fleet import Fleet
from cbi_common.testing.folders import write_simulated_folder
from cbi_common.testing.story import Story, forecast_ready

DEPLOYED = Path(__file__).parents[2] / "deploy" / "nats" / "accounts.conf"
RENEW = "run `make accounts`"
ATTRIBUTE = "explain--attribute"


def with_passwords() -> tuple[str, dict[str, str]]:
    passwords = {user: uuid4().hex for user in users(installed())}
    text = accounts()
    for user, password in passwords.items():
        text = re.sub(rf"\${variable(user)}\b", f'"{password}"', text)
    return text, passwords


def test_the_deployed_accounts_are_what_the_services_declare() -> None:
    assert DEPLOYED.read_text(encoding="utf-8") == accounts(), RENEW


@pytest.mark.e2e
@pytest.mark.timeout(280)
def test_a_pass_needs_no_right_that_a_service_lacks(tmp_path: Path) -> None:
    text, passwords = with_passwords()
    write_simulated_folder(tmp_path / "tables", sessions=1500, seed=5)
    services = tuple(service.name for service in installed())

    async def go() -> list[str]:
        async with Fleet(tmp_path, services, str(tmp_path / "tables"), text, passwords) as fleet:
            asked = DataRequested(market="zl", profile="smoke", reason="test")
            event = Envelope.first(asked, source="test", now=system_clock(), event_id=str(uuid4()))
            await fleet.bus.publish(event)
            async with asyncio.timeout(240):
                wanted = {"forecast.ready", "explanation.ready", "gates.judged", "backtest.completed"}
                while True:
                    told = await Journal(fleet.bus).events()
                    if wanted <= {event.type for event in told if getattr(event.data, "provisional", False) is False}:
                        return [event.type for event in told]
                    await asyncio.sleep(0.5)

    told = asyncio.run(go())
    assert "alert.raised" not in told
    log = (tmp_path / "bus" / "nats.log").read_text()
    assert re.findall(r".*Violation.*", log) == []


@pytest.mark.parametrize("user", ["trainer-cpu", "regime", "serving"])
def test_only_the_ensemble_says_what_the_forecast_is(tmp_path: Path, user: str) -> None:
    text, passwords = with_passwords()

    async def go() -> None:
        server = NatsServer(tmp_path, text)
        await server.start()
        try:
            url = server.connected(Settings.load()).nats_url
            assert url is not None
            whole = Bus(Settings.load().with_bus(url, "operator", passwords["operator"]), "operator")
            await whole.connect()
            await whole.declare_streams()
            one = Bus(Settings.load().with_bus(url, user, passwords[user]), user, patience_s=1.5)
            await one.connect()
            forged: Envelope[ForecastReady] = Story().tell(forecast_ready())
            with pytest.raises(CbiError):
                await one.publish(forged)
            assert await Journal(whole).events() == []
            await one.close()
            await whole.close()
        finally:
            await server.stop()

    asyncio.run(go())


KV = "$KV.CBI_STATE."
CONSUMER = json.dumps(
    {"stream_name": "EVENTS", "config": {"durable_name": "x", "name": "x", "ack_policy": "explicit"}}
).encode()


@pytest.mark.parametrize(
    ("user", "subjects"),
    [
        (
            "trainer-cpu",
            [
                "forecast.ready", "model.promoted", "data.exported", "jobs.train.metal", "dead.model.trained",
                f"{KV}champion.zl.real", f"{KV}run.r.member", f"{KV}latest.trainer-metal.x", f"{KV}export.zl",
                "$JS.API.STREAM.UPDATE.EVENTS", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.DELETE.EVENTS",
                "$JS.API.STREAM.PURGE.JOBS", "$JS.API.STREAM.MSG.DELETE.LEDGER", "$JS.API.STREAM.MSG.GET.EVENTS",
                "$JS.API.DIRECT.GET.EVENTS", "$JS.API.CONSUMER.CREATE.EVENTS.ensemble--record_trained.model.trained",
                "$JS.API.CONSUMER.CREATE.JOBS.trainer-cpu--train.jobs.train.metal",
                "$JS.API.CONSUMER.CREATE.EVENTS", "$JS.API.CONSUMER.DELETE.JOBS.trainer-metal--train",
                "$JS.API.CONSUMER.MSG.NEXT.JOBS.trainer-metal--train", "$JS.API.CONSUMER.PAUSE.JOBS.trainer-cpu--train",
                "$JS.API.STREAM.SNAPSHOT.EVENTS", "$SYS.REQ.SERVER.PING",
            ],
        ),
        (
            "dashboard",
            [
                "model.promoted", "model.shadowed", "promotion.rejected", f"{KV}champion.zl.real", f"{KV}mail",
                "$JS.API.STREAM.UPDATE.EVENTS", "$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.API.STREAM.MSG.DELETE.LEDGER",
                "$JS.API.CONSUMER.CREATE.EVENTS", "$JS.API.CONSUMER.DELETE.EVENTS.ensemble--record_trained",
                "$JS.API.CONSUMER.MSG.NEXT.EVENTS.ensemble--record_trained",
            ],
        ),
        ("monitor", ["forecast.ready", "gates.judged", f"{KV}champion.zl.real", "$JS.API.STREAM.UPDATE.DEAD"]),
        ("promoter", ["model.promoted", "forecast.ready", f"{KV}champion.zl.real", f"{KV}promotion.zl.real"]),
        ("ingest", ["forecast.ready", f"{KV}champion.zl.real", "$JS.API.STREAM.DELETE.EVENTS"]),
        ("serving", ["alert.raised", "dead.x", f"{KV}run.x", "$JS.API.CONSUMER.CREATE.EVENTS"]),
    ],
)  # fmt: skip
def test_what_is_not_a_users_is_refused(tmp_path: Path, user: str, subjects: list[str]) -> None:
    async def scene(url: str, passwords: dict[str, str]) -> None:
        refused: list[str] = []

        async def heard(error: Exception) -> None:
            refused.append(str(error).partition('publish to "')[2].rstrip('"'))

        client = await nats.connect(url, user=user, password=passwords[user], error_cb=heard)
        for subject in [*subjects, "$JS.API.INFO"]:
            await client.publish(subject, CONSUMER)
        await client.flush(30)
        await heard_of(refused, len(subjects))
        await client.close()
        assert sorted(refused) == sorted(subject.lower() for subject in subjects)

    guarded(tmp_path, scene)


def test_nobody_hears_the_answers_to_another(tmp_path: Path) -> None:
    async def scene(url: str, passwords: dict[str, str]) -> None:
        refused: list[str] = []

        async def heard(error: Exception) -> None:
            refused.append(str(error))

        client = await nats.connect(url, user="dashboard", password=passwords["dashboard"], error_cb=heard)
        for subject in (">", "_INBOX_promoter.>", "_INBOX.>", "forecast.ready", "$KV.>"):
            await client.subscribe(subject)
        await client.flush(30)
        await heard_of(refused, 5)
        await client.close()
        assert len([text for text in refused if "permissions violation for subscription" in text]) == 5

    guarded(tmp_path, scene)


def test_one_service_cannot_wipe_out_the_state_of_the_others(tmp_path: Path) -> None:
    async def scene(url: str, passwords: dict[str, str]) -> None:
        whole, one = await joined(url, passwords, OPERATOR), await joined(url, passwords, "ensemble")
        await State(whole).put("champion.zl.real", b"1")
        with pytest.raises(ServerError, match="rollup"):
            await one.jetstream.publish(f"{KV}run.x", b"", headers={"Nats-Rollup": "all"})
        assert await State(whole).keys("") == ["champion.zl.real"]
        await one.close()
        await whole.close()

    guarded(tmp_path, scene)


def test_a_message_that_the_bus_was_made_to_relay_is_given_up(tmp_path: Path) -> None:
    # The bus does not ask whether one may publish on the subject that an answer is to go to.
    text, passwords = with_passwords()
    forged: Envelope[ForecastReady] = Story().tell(forecast_ready())

    async def go() -> None:
        async with Fleet(tmp_path, ("regime", "explain"), "simulated", text, passwords) as fleet:
            url = fleet.settings.nats_url
            assert url is not None
            monitor = await joined(url, passwords, "monitor")
            sequence = (await monitor.jetstream.publish("alert.raised", forged.to_json())).seq
            order = json.dumps({"seq": sequence}).encode()
            await monitor.client.publish("$JS.API.DIRECT.GET.EVENTS", order, reply="forecast.ready")
            async with asyncio.timeout(60):
                while True:
                    letters = await Journal(fleet.bus).dead_letters()
                    if any(letter.consumer == ATTRIBUTE for letter in letters):
                        break
                    await asyncio.sleep(0.2)
            assert any("the bus was made to send it" in letter.reason for letter in letters)
            await monitor.close()

    asyncio.run(go())


def test_a_service_waits_for_the_streams_that_only_ingest_may_declare(tmp_path: Path) -> None:
    async def scene(url: str, passwords: dict[str, str]) -> None:
        regime = await joined(url, passwords, "regime")
        with pytest.raises(TransientError, match="stream EVENTS: not declared yet; ingest declares it when it starts"):
            await regime.require_streams()
        ingest = await joined(url, passwords, "ingest")
        await ingest.declare_streams()
        await regime.require_streams()
        await regime.declare_streams()  # there is nothing to do, so nothing is refused
        for bus in (regime, ingest):
            await bus.close()
        reader = Settings.load(lake=str(tmp_path / "lake")).with_bus(url, "serving", passwords["serving"])
        async with connect(reader) as bus:
            assert await Journal(bus).events() == []

    guarded(tmp_path, scene, declared=False)
    assert "Violation" not in (tmp_path / "nats.log").read_text()


async def heard_of(refused: list[str], count: int) -> None:
    """Wait for so many refusals: the client tells of them in tasks of their own."""

    async def enough() -> bool | None:
        return len(refused) >= count or None

    await eventually(enough, within_s=30)


async def joined(url: str, passwords: dict[str, str], user: str) -> Bus:
    bus = Bus(Settings.load().with_bus(url, user, passwords[user]), user)
    await bus.connect()
    return bus


def guarded(
    folder: Path,
    scene: Callable[[str, dict[str, str]], Awaitable[None]],
    *,
    declared: bool = True,
) -> None:
    """Play a scene on a bus with everybody's account."""
    text, passwords = with_passwords()

    async def go() -> None:
        server = NatsServer(folder, text)
        await server.start()
        try:
            url = server.connected(Settings.load()).nats_url
            assert url is not None
            if declared:
                whole = await joined(url, passwords, OPERATOR)
                await whole.declare_streams()
                await whole.close()
            await scene(url, passwords)
        finally:
            await server.stop()

    asyncio.run(go())
