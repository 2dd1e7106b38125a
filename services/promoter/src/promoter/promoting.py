"""The promotion, step by step: each is recorded before the next, so that whoever comes after a crash goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cbi_common.core.clock import Clock
from cbi_common.core.errors import TransientError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope
from cbi_common.events.promotion import GateReport, ModelPromoted
from cbi_common.reporting.card import card_key
from cbi_common.runtime.state import State
from cbi_common.storage.lake import Lake
from promoter.domain.champion import Champion, Serving, champion_key
from promoter.domain.promotion import Promotion, promotion_key
from promoter.targets import Target

_ATTEMPTS = 20

Publish = Callable[[Envelope[Any]], Awaitable[object]]


class Promoting:
    """Promotes and rolls back.

    Parameters
    ----------
    state : State
    lake : Lake
    clock : Clock
    publish : sends an event; an event with the same id again is no second one
    targets : name to target
    """

    def __init__(self, state: State, lake: Lake, clock: Clock, publish: Publish, targets: Mapping[str, Target]) -> None:
        self._state, self._lake, self._clock, self._publish, self._targets = state, lake, clock, publish, targets

    async def promote(self, wanted: Promotion, reports: Mapping[Horizon, GateReport], card: str) -> Champion:
        """Promote, or go on with a promotion of the same.

        Parameters
        ----------
        wanted : Promotion
        reports : mapping
            What the gates say of each horizon.
        card : str
            The model card; it is in the lake before anybody can read that the version serves.

        Raises
        ------
        UsageError
            When another promotion of this market is under way.
        TransientError, InfrastructureError
            From the target: what was done stays recorded, and the same call goes on from there.
        """
        promotion = await self._begun(wanted)
        await asyncio.to_thread(self._lake.put, card_key(promotion.version), card.encode())
        target = self._targets[promotion.target]
        with TemporaryDirectory(prefix="cbi-promotion-") as folder:
            await asyncio.to_thread(unpacked, self._lake, promotion, Path(folder))
            for step in target.plan(promotion):
                if step.name not in promotion.done:
                    facts = await asyncio.to_thread(target.perform, step.name, promotion, Path(folder))
                    promotion = await self._recorded(promotion.with_step(step.name, facts))
        champion, revision = await self._succeeded(promotion)
        for event in self._events(promotion, reports, champion, revision):
            await self._publish(event)
        await self._recorded(promotion.model_copy(update={"status": "finished"}))
        return champion

    async def rollback(self, market: str, *, simulated: bool, reports: Mapping[Horizon, GateReport]) -> Champion:
        """Put the champion before the present one back.

        Raises
        ------
        UsageError
            When there is none.
        """
        key = champion_key(market, simulated)
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(key)
            champion = Champion() if entry is None else Champion.model_validate_json(entry[0])
            if entry is None or champion.now is None or not champion.former:
                raise UsageError(
                    "nobody served before", where=f"champion of {market}", hint="`cbi champion` shows who does"
                )
            former = champion.former[-1]
            # The requests first: a pointer that says what does not serve would be believed.
            target = self._targets[former.target]
            await asyncio.to_thread(partial(target.activate, former, market, simulated=simulated))
            after = champion.rolled_back()
            if await self._state.compare_and_set(key, after.model_dump_json().encode(), entry[1]):
                for horizon in former.horizons:
                    await self._publish(self._rolled_back(champion, former, market, horizon, reports, entry[1]))
                return after
        raise TransientError("others keep changing it", where=key, hint="try again")

    async def abandon(self, market: str, *, simulated: bool) -> Promotion | None:
        """Give up a promotion that is under way and take away what it has left; None where there is none."""
        key = promotion_key(market, simulated)
        entry = await self._state.entry(key)
        if entry is None:
            return None
        promotion = Promotion.model_validate_json(entry[0])
        if promotion.status == "finished":
            return None
        await asyncio.to_thread(self._targets[promotion.target].retire, promotion)
        await self._state.compare_and_set(
            key, promotion.model_copy(update={"status": "finished", "done": {}}).model_dump_json().encode(), entry[1]
        )
        return promotion

    async def _begun(self, wanted: Promotion) -> Promotion:
        key = promotion_key(wanted.market, wanted.simulated)
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(key)
            present = None if entry is None else Promotion.model_validate_json(entry[0])
            if present is not None and present.status == "running":
                if present.id != wanted.id:
                    raise UsageError(
                        f"a promotion of run {present.run_id} is under way",
                        where=f"market {wanted.market}",
                        hint=f"finish it (cbi promote --run {present.run_id} --yes) or give it up (--abandon)",
                    )
                return present
            new = wanted.model_dump_json().encode()
            if entry is None:
                if await self._state.create(key, new):
                    return wanted
            elif await self._state.compare_and_set(key, new, entry[1]):
                return wanted
        raise TransientError("others keep changing it", where=key, hint="try again")

    async def _recorded(self, promotion: Promotion) -> Promotion:
        """Store it, unless somebody else has come further with the same promotion."""
        key = promotion_key(promotion.market, promotion.simulated)
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(key)
            if entry is None:
                raise TransientError("the record of the promotion is gone", where=key, hint="promote again")
            present = Promotion.model_validate_json(entry[0])
            if present.id != promotion.id:
                raise UsageError("another promotion has begun meanwhile", where=key, hint="`cbi champion` shows it")
            # Steps are idempotent, so of two processes that did the same one both have the same facts.
            merged = promotion.model_copy(update={"done": {**present.done, **promotion.done}})
            if await self._state.compare_and_set(key, merged.model_dump_json().encode(), entry[1]):
                return merged
        raise TransientError("others keep changing it", where=key, hint="try again")

    async def _succeeded(self, promotion: Promotion) -> tuple[Champion, int]:
        """Return the pointer that names the promotion's version, and its revision."""
        key = champion_key(promotion.market, promotion.simulated)
        serving = Serving(
            run_id=promotion.run_id,
            version=promotion.version,
            target=promotion.target,
            package=promotion.package,
            horizons=promotion.horizons,
            policy=promotion.policy,
            since=self._clock(),
        )
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(key)
            champion = Champion() if entry is None else Champion.model_validate_json(entry[0])
            if entry is not None and champion.now is not None and champion.now.version == serving.version:
                return champion, entry[1]
            after = champion.succeeded(serving).model_dump_json().encode()
            if entry is None:
                await self._state.create(key, after)
            else:
                await self._state.compare_and_set(key, after, entry[1])
        raise TransientError("others keep changing it", where=key, hint="try again")

    def _events(
        self, promotion: Promotion, reports: Mapping[Horizon, GateReport], champion: Champion, revision: int
    ) -> list[Envelope[Any]]:
        previous = champion.former[-1].version if champion.former else None
        return [
            self._event(
                ModelPromoted(
                    market=promotion.market,
                    run_id=promotion.run_id,
                    horizon=horizon,
                    model_id=reports[horizon].candidate,
                    target=promotion.target,
                    policy=promotion.policy,
                    report=reports[horizon],
                    previous=previous,
                    version=promotion.version,
                    package=promotion.package,
                    shadow=promotion.shadow,
                ),
                f"{promotion.id} {revision} {horizon}",
            )
            for horizon in promotion.horizons
        ]

    def _rolled_back(
        self,
        champion: Champion,
        former: Serving,
        market: str,
        horizon: Horizon,
        reports: Mapping[Horizon, GateReport],
        revision: int,
    ) -> Envelope[Any]:
        assert champion.now is not None
        report = reports.get(horizon, GateReport(candidate="ensemble", policies={}))
        data = ModelPromoted(
            market=market,
            run_id=former.run_id,
            horizon=horizon,
            model_id=report.candidate,
            target=former.target,
            policy=former.policy,
            report=report,
            previous=champion.now.version,
            version=former.version,
            package=former.package,
            rollback=True,
        )
        return self._event(data, f"rollback {revision} {horizon}")

    def _event(self, data: ModelPromoted, cause: str) -> Envelope[Any]:
        event_id = derived_id(cause, data.subject)
        return Envelope.first(data, source="promoter", now=self._clock(), event_id=event_id)


def unpacked(lake: Lake, promotion: Promotion, folder: Path) -> None:
    """Write the files of a promotion's package into a folder."""
    from promoter.archive import unpack

    unpack(lake.get(promotion.package), folder)
