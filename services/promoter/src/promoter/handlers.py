"""On an explained forecast: the gates; and again when evidence has come that was not there before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cbi_common.core.errors import ContractError
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.promotion import GatesJudged, GatesRequested, PromotionRejected
from cbi_common.runtime.service import Kit, Outgoing
from promoter.proving import proofs_of
from promoter.version import VERSION


class Handlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers, self._policy = kit.lake, kit.workers, kit.settings.policy

    async def evaluate(self, event: Envelope[ExplanationReady]) -> Sequence[Outgoing]:
        """Put an explained forecast to the gates; a provisional one is not a candidate."""
        if event.data.forecast is None:
            return []
        forecast = ForecastReady.model_validate(self._lake.get_json(event.data.forecast))
        if forecast.provisional:
            return []
        explained = self._lake.put_json(_explained_key(forecast.run_id), event.data.model_dump(mode="json"))
        return await self._judged(forecast, explained)

    async def evaluate_again(self, event: Envelope[GatesRequested]) -> Sequence[Outgoing]:
        """Judge a run again.

        Raises
        ------
        ContractError
            When the run has never been explained.
        """
        explained = self._lake.find(_explained_key(event.data.run_id))
        if explained is None:
            raise ContractError(
                "no such run, or nobody has explained it", where=f"gates.requested run_id={event.data.run_id}",
                hint="name a run that `cbi status` lists",
            )  # fmt: skip
        forecast = ExplanationReady.model_validate(self._lake.get_json(explained)).forecast
        assert forecast is not None  # or it would not have been stored
        return await self._judged(ForecastReady.model_validate(self._lake.get_json(forecast)), explained)

    async def _judged(self, forecast: ForecastReady, explained: LakeRef) -> Sequence[Outgoing]:
        argument: dict[str, Any] = {
            "forecast": forecast.model_dump(mode="json"),
            "explained": self._lake.get_json(explained),
            "policy": self._policy,
        }
        argument["proofs"] = [ref.model_dump(mode="json") for ref in proofs_of(self._lake, forecast)]
        key = f"gates/{digest(VERSION, argument)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            result = await self._workers.run(
                "promoter.jobs:evaluate", {"lake": self._lake.url, "key": key, **argument}, label="gates"
            )
            judged = GatesJudged.model_validate(result.value)
        else:
            judged = GatesJudged.model_validate(json.loads(stored))
        return [Outgoing(judged), *([] if len(judged.passed) == len(judged.gates) else [Outgoing(_rejected(judged))])]


def _explained_key(run_id: str) -> str:
    return f"explained/{run_id}"


def _rejected(judged: GatesJudged) -> PromotionRejected:
    failing = {h: report for h, report in judged.gates.items() if h not in judged.passed}
    parts = []
    for horizon, report in failing.items():
        results = report.policies[judged.policy].gates
        failed = [gate.id for gate in results if not gate.passed]
        parts.append(f"{horizon} fails {len(failed)} of {len(results)} ({', '.join(failed)})")
    return PromotionRejected(
        market=judged.market,
        run_id=judged.run_id,
        as_of=judged.as_of,
        policy=judged.policy,
        gates=failing,
        reason="; ".join(parts),
    )
