"""A pass with any one service left out goes as far as it can and says so; when the service is back, it is finished."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.testing.loopback import SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.proof]

DEADLINE_S = 8.0
HELD_UP = ("ensemble", "ingest")
PROVISIONAL = ("regime", "trainer-cpu", "trainer-metal")


class Passes:
    """Passes over one lake whose fits are there already."""

    def __init__(self, lake: Path, warehouse: Path) -> None:
        self.settings = Settings(
            lake=str(lake),
            warehouse=str(warehouse),
            tracking="off",
            quorum_wait_s=DEADLINE_S,
            forecast_deadline_s=DEADLINE_S,
        )

    async def ask(self, stack: Stack) -> None:
        request = DataRequested(market="zl", profile="smoke")
        event = Envelope.first(request, source="test", now=datetime.now(UTC), event_id="asked")
        await stack.bus.publish(event)

    async def forecasts(self, stack: Stack, count: int, within_s: float) -> list[ForecastReady]:
        """Return the forecasts of the pass: so many, or as many as there are by then."""
        found: list[ForecastReady] = []
        try:
            async with asyncio.timeout(within_s):
                async for event in Journal(stack.bus).follow([ForecastReady.subject], after=0):
                    found.append(event.data)
                    if len(found) == count:
                        break
        except TimeoutError:
            pass
        return found

    async def without(self, service: str) -> list[ForecastReady]:
        """Make a pass without a service, then let it come back; return the forecasts that were issued before."""
        async with Stack(self.settings, [name for name in SERVICES if name != service]) as stack:
            await self.ask(stack)
            patience = DEADLINE_S + 4 if service in HELD_UP else 90
            return await self.forecasts(stack, 1, patience)

    async def with_all(self, issued: int) -> list[ForecastReady]:
        async with Stack(self.settings) as stack:
            return await self.forecasts(stack, issued + 1, 90)


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ForecastReady]:
    """A lake with every fit in it, and the forecast that nobody troubled."""
    home = tmp_path_factory.mktemp("undisturbed")

    async def go() -> ForecastReady:
        passes = Passes(home / "lake", folder)
        async with Stack(passes.settings) as stack:
            await passes.ask(stack)
            found = await passes.forecasts(stack, 2, 120)  # the run may take longer than the deadline
        return next(forecast for forecast in found if not forecast.provisional)

    forecast = asyncio.run(go())
    shutil.rmtree(home / "lake" / ".stack")
    return home / "lake", forecast


@pytest.mark.parametrize("service", SERVICES)
def test_the_pass_degrades_as_said_and_recovers(
    undisturbed: tuple[Path, ForecastReady], folder: Path, tmp_path: Path, service: str
) -> None:
    lake, final = undisturbed
    shutil.copytree(lake, tmp_path / "lake")
    passes = Passes(tmp_path / "lake", folder)
    issued = asyncio.run(passes.without(service))
    if service in HELD_UP:
        assert issued == []
    elif service in PROVISIONAL:
        (early,) = issued
        assert early.provisional
        assert _devices(early.awaited) == {service}
        assert set(early.forecasts) == set(final.forecasts)
    else:
        assert issued == [final]
        return
    assert [f for f in asyncio.run(passes.with_all(len(issued))) if not f.provisional] == [final]


def _devices(awaited: tuple[str, ...]) -> set[str]:
    """Services that the awaited parts come from."""
    return {name if name == "regime" else f"trainer-{_device(name.partition('@')[0])}" for name in awaited}


def _device(model_id: str) -> str:
    return load_catalogue().model(model_id).device
