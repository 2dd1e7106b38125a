"""On a final forecast: what buying by the forecasts of its run would have cost."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.decision import BacktestCompleted
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.service import Kit, Outgoing
from dashboard.domain.terms import Terms

VERSION = 2
"""Raised with every change of what a backtest comes to; results of an older version are computed again."""


class BacktestHandler:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers = kit.lake, kit.workers

    async def test(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Buy by the forecasts under the usual terms; nobody decides by a provisional forecast."""
        if event.data.provisional:
            return []
        forecast = event.data.model_dump(mode="json")
        key = f"backtest/{digest(VERSION, forecast)}"
        stored = self._lake.get_if_intact(key)
        if stored is not None:
            return [Outgoing(BacktestCompleted.model_validate(json.loads(stored)))]
        asked = {"lake": self._lake.url, "forecast": forecast, **Terms().model_dump(mode="json")}
        try:
            found = (await self._workers.run("dashboard.buying:tested", asked, label="backtest")).value
        except DataError as error:  # a short history: the forecast stands, buying by it cannot be judged
            found = {"lot": Terms().need, "months": 0, "strategies": {}, "why_not": error.line()}
        completed = BacktestCompleted.model_validate(
            {
                "market": event.data.market,
                "run_id": event.data.run_id,
                "as_of": event.data.as_of,
                "simulated": event.data.simulated,
                "horizon": asked["horizon"],
                "terms": {**{name: asked[name] for name in ("need", "carry", "cover")}, "lot": found.pop("lot")},
                **found,
            }
        )
        self._lake.put_json(key, completed.model_dump(mode="json"))
        return [Outgoing(completed)]
