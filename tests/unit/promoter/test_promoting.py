"""A promotion that dies at any boundary goes on to exactly one version; two at once make one; the way back works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.promotion import GateReport
from cbi_common.reporting.card import card_key
from cbi_common.storage.lake import Lake
from cbi_common.testing.fakes import FakeState
from promoter.archive import archive
from promoter.domain.champion import Champion, Serving, champion_key
from promoter.domain.promotion import Facts, PlannedStep, Promotion
from promoter.promoting import Promoting

NOW = datetime(2025, 5, 17, tzinfo=UTC)
STEPS = ("upload", "register", "deploy", "route")
REPORTS = {Horizon.W1: GateReport(candidate="ensemble", policies={})}


class Died(BaseException):
    """As if the process had been killed."""


class Cloud:
    """Keeps what exists, whoever dies: a step looks first, as a real target has to."""

    name = "local"

    def __init__(self) -> None:
        self.made: list[str] = []
        self.serving = ""
        self.retired: list[str] = []
        self.dies_at: tuple[str, str] | None = None

    def plan(self, _promotion: Promotion) -> Sequence[PlannedStep]:
        return [PlannedStep(name=step, says=step) for step in STEPS]

    def perform(self, step: str, promotion: Promotion, folder: Path) -> Facts:
        assert (folder / "package.json").is_file()
        self._die(step, "before")
        thing = f"{step} {promotion.version}"
        if thing not in self.made:
            self.made.append(thing)
        if step == "route":
            self.serving = promotion.version
        self._die(step, "after")
        return {"name": thing}

    def activate(self, serving: Serving, _market: str, *, simulated: bool) -> None:
        self.serving = serving.version

    def retire(self, promotion: Promotion) -> None:
        self.retired.append(promotion.version)

    def _die(self, step: str, when: str) -> None:
        if self.dies_at == (step, when):
            self.dies_at = None
            raise Died


class DyingState(FakeState):
    """Dies before or after its n-th write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.dies_at = 0, (-1, "")

    async def create(self, key: str, value: bytes) -> bool:
        return bool(await self._written(super().create(key, value)))

    async def compare_and_set(self, key: str, value: bytes, revision: int) -> bool:
        return bool(await self._written(super().compare_and_set(key, value, revision)))

    async def _written(self, write: Any) -> Any:
        self.writes += 1
        number, when = self.dies_at
        if (self.writes, when) == (number, "before"):
            write.close()
            raise Died
        done = await write
        if self.writes == number:
            raise Died
        return done


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake, self.state, self.cloud = Lake(str(folder / "lake")), DyingState(), Cloud()
        self.events: dict[str, Any] = {}
        self.dies_publishing = False

    async def publish(self, event: Any) -> None:
        if self.dies_publishing:
            self.dies_publishing = False
            raise Died
        self.events[event.id] = event.data

    def promoting(self) -> Promoting:
        return Promoting(self.state, self.lake, lambda: NOW, self.publish, {"local": self.cloud})

    def promotion(self, run: str = "r1") -> Promotion:
        folder = self.folder / run
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text(run)
        return Promotion(
            market="zl", simulated=True, run_id=run, package=self.lake.put(f"package/{run}", archive(folder)),
            horizons=(Horizon.W1,), target="local", policy="relative", labels={}, shadow="left out",
        )  # fmt: skip

    def promote(self, run: str = "r1") -> Champion:
        return asyncio.run(self.promoting().promote(self.promotion(run), REPORTS, f"card of {run}"))

    def rollback(self) -> Champion:
        return asyncio.run(self.promoting().rollback("zl", simulated=True, reports=REPORTS))

    def champion(self) -> Champion:
        stored = asyncio.run(self.state.get(champion_key("zl", True)))
        return Champion() if stored is None else Champion.model_validate_json(stored)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def arrived(world: World) -> None:
    """Exactly one version of everything, one pointer, one event, whatever happened on the way."""
    version = world.promotion().version
    assert sorted(world.cloud.made) == sorted(f"{step} {version}" for step in STEPS)
    assert world.cloud.serving == version
    champion = world.champion()
    assert champion.now is not None
    assert (champion.now.version, champion.former) == (version, ())
    assert world.lake.get_if_intact(card_key(version)) == b"card of r1"
    assert [(e.version, e.horizon, e.previous) for e in world.events.values()] == [(version, Horizon.W1, None)]


def test_a_promotion_arrives(world: World) -> None:
    world.promote()
    arrived(world)
    world.promote()  # again changes nothing
    arrived(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_while_a_step_is_done_it_goes_on(world: World, step: str, when: str) -> None:
    world.cloud.dies_at = (step, when)
    with pytest.raises(Died):
        world.promote()
    world.promote()
    arrived(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 8))
def test_killed_while_something_is_recorded_it_goes_on(world: World, number: int, when: str) -> None:
    world.state.dies_at = (number, when)
    with pytest.raises(Died):
        world.promote()
    world.promote()
    arrived(world)
    assert number <= 7 <= world.state.writes  # every write has had its turn


def test_killed_while_it_is_told_it_goes_on(world: World) -> None:
    world.dies_publishing = True
    with pytest.raises(Died):
        world.promote()
    world.promote()
    arrived(world)


def test_another_promotion_waits_until_the_first_is_finished_or_given_up(world: World) -> None:
    world.cloud.dies_at = ("deploy", "before")
    with pytest.raises(Died):
        world.promote("r1")
    with pytest.raises(UsageError, match="run r1 is under way"):
        world.promote("r2")
    given_up = asyncio.run(world.promoting().abandon("zl", simulated=True))
    assert given_up is not None
    assert world.cloud.retired == [world.promotion("r1").version]
    world.promote("r2")
    assert world.champion().now.run_id == "r2"


def test_two_at_once_make_one(world: World) -> None:
    async def both() -> None:
        await asyncio.gather(*(world.promoting().promote(world.promotion(), REPORTS, "card of r1") for _ in range(2)))

    asyncio.run(both())
    arrived(world)


def test_the_former_champion_comes_back_and_it_is_told(world: World) -> None:
    world.promote("r1")
    world.promote("r2")
    after = world.rollback()
    assert after.now.run_id == "r1"
    assert world.cloud.serving == after.now.version
    told = list(world.events.values())[-1]
    assert (told.rollback, told.run_id, told.previous) == (True, "r1", world.promotion("r2").version)
    with pytest.raises(UsageError, match="nobody served before"):
        world.rollback()


def test_killed_between_the_requests_and_the_pointer_a_rollback_goes_on(world: World) -> None:
    world.promote("r1")
    world.promote("r2")
    world.state.dies_at = (world.state.writes + 1, "before")
    with pytest.raises(Died):
        world.rollback()
    assert world.champion().now.run_id == "r2"
    assert world.rollback().now.run_id == "r1"


def test_what_is_promoted_again_after_a_rollback_is_told_again(world: World) -> None:
    world.promote("r1")
    world.promote("r2")
    world.rollback()
    world.promote("r2")
    assert world.champion().now.run_id == "r2"
    assert [e.run_id for e in world.events.values()] == ["r1", "r2", "r1", "r2"]
