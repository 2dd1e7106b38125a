"""Every service with a user of its own: a pass needs no right that it lacks, and nobody may say what is not his."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from uuid import uuid4

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import CbiError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.accounts import accounts, users, variable
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.settings import Settings
from cbi_common.testing.fleet import Fleet
from cbi_common.testing.folders import write_simulated_folder
from cbi_common.testing.story import Story, forecast_ready

DEPLOYED = Path(__file__).parents[2] / "deploy" / "nats" / "accounts.conf"
RENEW = "run `make accounts`"


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
