"""In a child process: what buying by the forecasts of a run would have cost, under the reader's own terms."""

from __future__ import annotations

from typing import Any

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.procurement.market import Terms
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from dashboard.deciding import decide


def tested(argument: dict[str, Any]) -> dict[str, Any]:
    """Return each strategy's figures by name, how many months they are of, and the lot.

    Parameters
    ----------
    argument : dict
        ``lake`` (URL), ``forecast`` (a `ForecastReady`), ``horizon``, and ``need``, ``carry``, ``cover`` of `Terms`.
    """
    lake, forecast = Lake(argument["lake"]), ForecastReady.model_validate(argument["forecast"])
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    terms = {name: argument[name] for name in ("need", "carry", "cover")}
    lot = market_of(lake, manifest).lot_size or terms["need"]
    market, found = decide(lake, forecast, Terms(**terms, lot=lot), Horizon(argument["horizon"]))
    figures = {name: result.model_dump(mode="json") for name, result in found.items()}
    return {"lot": lot, "months": market.months, "strategies": figures}
