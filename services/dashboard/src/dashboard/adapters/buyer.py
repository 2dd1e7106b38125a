"""Has buying tested in a child process, which the libraries of the statistics are loaded into and leave with."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake
from dashboard.domain.terms import Terms

_ENTRY = "dashboard.buying:tested"
_KEPT = 64
_CPU_LIMIT_S = 60


class Buyer:
    """Tests each question once.

    Parameters
    ----------
    lake : Lake
    workers : Workers
        Those that take no slot from training: a reader waits.
    """

    def __init__(self, lake: Lake, workers: Workers) -> None:
        self._lake, self._workers = lake, workers
        self._answers: OrderedDict[tuple[str, Terms], dict[str, Any]] = OrderedDict()
        self._one = asyncio.Lock()

    async def test(self, forecast: ForecastReady, terms: Terms) -> dict[str, Any]:
        """Return what `dashboard.buying.tested` answers.

        Raises
        ------
        DataError
            When the history is too short.
        InfrastructureError
            When the lake lacks what the run stored.
        JobError
            When it takes too long.
        """
        asked = (forecast.served.sha256, terms)
        async with self._one:
            if asked not in self._answers:
                told = forecast.model_dump(mode="json")
                argument = {"lake": self._lake.url, "forecast": told, **terms.model_dump(mode="json")}
                done = await self._workers.run(_ENTRY, argument, cpu_limit_s=_CPU_LIMIT_S, label="backtest")
                self._answers[asked] = done.value
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
            return self._answers[asked]
