"""The regime that was known at each session, out of the lake."""

from __future__ import annotations

from cbi_common.core.errors import DataError
from cbi_common.events.forecast import ForecastReady, LiveMembers
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table


def regimes_of(lake: Lake, forecast: ForecastReady) -> dict[int, str]:
    """Return session to regime.

    Raises
    ------
    DataError
        When the forecast stands on no regime: only a provisional one may.
    """
    regime = LiveMembers.model_validate(lake.get_json(forecast.members)).regime
    if regime is None:
        raise DataError("a forecast without a regime", where=f"run {forecast.run_id}", hint="let the run be finished")
    history = get_table(lake, regime.history)
    sessions, states = (history[name].to_numpy() for name in ("session", "state"))
    return {int(session): str(state) for session, state in zip(sessions, states, strict=True)}
