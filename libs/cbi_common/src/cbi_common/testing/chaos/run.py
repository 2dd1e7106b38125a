"""Scenarios one after the other on a warm fleet, each on a lake of its own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from cbi_common.core.errors import CbiError
from cbi_common.testing.chaos.crew import Crew
from cbi_common.testing.chaos.passes import Marks, Passes
from cbi_common.testing.chaos.scenario import Kind, Scenario, draw
from cbi_common.testing.chaos.stage import Stage
from cbi_common.testing.chaos.strikes import Strikes
from cbi_common.testing.chaos.triggers import Triggers
from cbi_common.testing.chaos.verdict import Outcome, Verdict, judge, own_letters
from cbi_common.testing.folders import write_simulated_folder

PATIENCE_S = 600.0
"""A machine that others use as well may be slow; what is really stuck stays so."""

_SESSIONS, _DATA_SEED = 1500, 5
_PER_FLEET = 100
"""Scenarios that one fleet lives through; a bus that has seen thousands of events is slower to read than a new one."""


@dataclass(frozen=True)
class Ending:
    """One scenario and how it ended."""

    scenario: Scenario
    verdict: Verdict
    seconds: float
    missed: tuple[str, ...]
    logs: Path | None = None


class Chaos:
    """Runs scenarios.

    Parameters
    ----------
    home : Path
        Scratch folder.
    kept : Path
        Where the logs of scenarios that fail are kept, and the fits of the undisturbed pass for the next time: they lie
        under digests of what they were made from, so old ones do no harm.
    kinds : sequence of Kind
        What may be drawn.
    """

    def __init__(self, home: Path, kept: Path, kinds: Sequence[Kind]) -> None:
        self._home, self._kept, self._kinds = home, kept, kinds
        self._warehouse, self._prepared = home / "warehouse", kept / "fits"
        self._triggers = Triggers()
        self._stage: AsyncExitStack | None = None
        self._crew: Crew | None = None
        self._passes: Passes | None = None
        self._undisturbed: Outcome | None = None
        self._fleets = 0
        self._lived = 0

    async def __aenter__(self) -> Chaos:
        """Write the tables of the market."""
        await asyncio.to_thread(write_simulated_folder, self._warehouse, sessions=_SESSIONS, seed=_DATA_SEED)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the fleet."""
        await self.disband()

    async def play(self, seed: int) -> Ending:
        """Run the scenario of a seed."""
        started, scenario = time.monotonic(), draw(seed, self._kinds)
        if self._lived >= _PER_FLEET:
            await self.disband()
        crew, passes = await self._fleet()
        self._lived += 1
        stage = Stage(crew, self._triggers, f"chaos-{seed}-{self._lived}")
        since = await passes.marks()
        try:
            verdict = await self._disturbed(scenario, stage, since)
        except (CbiError, TimeoutError) as error:
            verdict = Verdict("FAILED", (f"the tool itself: {error!r}",))
        logs = None if verdict.passed else await self._keep(stage, scenario, verdict)
        if logs is not None:
            await self.disband()  # what it left must not be the next one's trouble
        return Ending(scenario, verdict, time.monotonic() - started, tuple(stage.missed), logs)

    async def disband(self) -> None:
        """End the fleet."""
        if self._stage is not None:
            await self._stage.aclose()
        self._stage = self._crew = self._passes = None

    async def overdue(self, patience_s: float) -> int:
        """Wait until no export waits for its deadline any more; return how many still do when patience ends."""
        give_up = time.monotonic() + patience_s
        left = 0 if self._passes is None else await self._passes.put_off()
        while self._passes is not None and left and time.monotonic() < give_up:
            await asyncio.sleep(1)
            left = await self._passes.put_off()
        return left

    async def _fleet(self) -> tuple[Crew, Passes]:
        if self._crew is None or self._passes is None:
            self._fleets, self._lived = self._fleets + 1, 0
            home = self._home / f"fleet-{self._fleets}"
            crew = Crew(
                home,
                str(self._warehouse),
                self._triggers.tap,
                disks="full_disk" in self._kinds,
            )
            self._stage = AsyncExitStack()
            self._crew = await self._stage.enter_async_context(crew)
            self._passes = Passes(self._crew.bus)
            await self._undisturbed_pass(self._crew, self._passes)
        return self._crew, self._passes

    async def _undisturbed_pass(self, crew: Crew, passes: Passes) -> None:
        """Make one pass that nobody troubles: what it says is what every other must say.

        It finds the fits of an earlier one, if there was one, and must say the same.
        """
        self._triggers.forget()
        crew.empty_lake(self._prepared if self._prepared.exists() else None)
        since = await passes.marks()
        await passes.ask("undisturbed")
        await passes.judged("undisturbed", PATIENCE_S)
        stuck = await passes.quiet(PATIENCE_S)
        outcome = await passes.outcome("undisturbed", since, stuck)
        troubles = [*outcome.untold, *outcome.failed, *stuck, *(letter.reason for letter in outcome.letters)]
        if troubles:
            raise RuntimeError(f"the undisturbed pass fails: {', '.join(troubles)}")
        if self._undisturbed is not None and outcome.differs_from(self._undisturbed):
            raise RuntimeError(f"two undisturbed passes differ in {outcome.differs_from(self._undisturbed)}")
        self._undisturbed = outcome
        self._prepare(crew.lake)

    def _prepare(self, lake: Path) -> None:
        """Keep of a lake what the fits have left: they take most of a pass."""
        new = self._home / "fits"
        shutil.copytree(lake, new, ignore=shutil.ignore_patterns(".stack", "results"))
        for folder in (new / "refs").iterdir():
            if folder.name != "fold":
                shutil.rmtree(folder)
        shutil.rmtree(self._prepared, ignore_errors=True)
        self._prepared.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(new, self._prepared)

    async def _disturbed(self, scenario: Scenario, stage: Stage, since: Marks) -> Verdict:
        crew, passes = await self._fleet()
        assert self._undisturbed is not None
        crew.empty_lake(self._prepared if scenario.warmth == "fits" else None)
        strikes = Strikes(stage)
        self._triggers.begin(scenario.faults, strikes)
        await passes.ask(stage.name)
        stuck = await strikes.over(passes, PATIENCE_S)
        first = await passes.outcome(stage.name, since, stuck)
        last = await self._mended(stage, since, first)
        for fault in self._triggers.waiting:
            stage.missed.append(f"{fault}: never came")
        kinds = {fault.kind for fault in scenario.faults}
        return judge(self._undisturbed, first, last, kinds=kinds, injected=stage.injected)

    async def _mended(self, stage: Stage, since: Marks, first: Outcome) -> Outcome:
        """Do what the errors say: send dead letters again, and where that is not enough run again."""
        _, passes = await self._fleet()
        assert self._undisturbed is not None
        letters = own_letters(first, stage.injected)
        if not letters and not first.failed:
            return first
        await passes.send_again(letters)
        last = await passes.outcome(stage.name, since, await passes.quiet(PATIENCE_S))
        if last.failed or last.untold or last.differs_from(self._undisturbed):
            again = f"{stage.name}-again"
            await passes.ask(again)
            last = await passes.outcome(again, await passes.marks(), await passes.quiet(PATIENCE_S))
        return last

    async def _keep(self, stage: Stage, scenario: Scenario, verdict: Verdict) -> Path:
        assert self._passes is not None
        folder = self._kept / f"seed-{scenario.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for log in stage.crew.logs:
            shutil.copy(log, folder / log.name)
        told = await self._passes.told()
        lines = [*map(str, scenario.faults), "", *verdict.why, "", *told]
        (folder / "scenario.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder
