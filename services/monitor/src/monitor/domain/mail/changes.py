"""What has changed since the last daily mail."""

from __future__ import annotations

from datetime import datetime

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady, HorizonForecast
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.tables import number, percent
from monitor.domain.mail.known import Known


def changes(now: Known, then: Known | None, since: datetime | None) -> tuple[str, ...]:
    """Return the changes, a line each.

    Parameters
    ----------
    now : Known
    then : Known or None
        What was known at the last mail, None for the first.
    since : datetime or None
        When that was.
    """
    if then is None or since is None:
        return ("This is the first daily mail.",)
    return (
        *_forecasts(then.forecast, now.forecast, now.origin.unit),
        *_state(then, now),
        *(_alert(alert) for alert in now.alerts if alert.time > since and alert.data.condition),
        *(_retrain(request) for request in now.retrains if request.time > since),
    )


def _forecasts(then: Envelope[ForecastReady] | None, now: Envelope[ForecastReady] | None, unit: str) -> tuple[str, ...]:
    if now is None:
        return ("There is still no forecast.",)
    if then is None:
        return ("This is the first forecast.",)
    if then.id == now.id:
        return (f"No new forecast: the newest one is still that of {now.data.as_of}.",)
    before, after = then.data.forecasts, now.data.forecasts
    shared = [horizon for horizon in Horizon if horizon in before and horizon in after]
    if not shared:
        return ("No horizon of this forecast was in the last one.",)
    price = _price(before[shared[0]], after[shared[0]], unit)
    signals = tuple(
        f"{h.words}: {after[h].signal}, was {before[h].signal}" for h in shared if after[h].signal != before[h].signal
    )
    moved = "; ".join(f"{h} {number(before[h].point)} → {number(after[h].point)}" for h in shared)
    return (price, *signals, *(() if signals else ("No signal has changed.",)), f"Forecasts: {moved}")


def _price(before: HorizonForecast, after: HorizonForecast, unit: str) -> str:
    if before.current == after.current:
        return f"Price: {number(after.current)} {unit}, as in the last mail"
    move = percent(after.current / before.current - 1, signed=True)
    return f"Price: {number(after.current)} {unit}, was {number(before.current)} ({move})"


def _state(then: Known, now: Known) -> tuple[str, ...]:
    before = then.run.regime if then.run else None
    after = now.run.regime if now.run else None
    if before is None or after is None or before.data.state == after.data.state:
        return ()
    return (f"Market state: {after.data.state}, was {before.data.state}",)


def _alert(alert: Envelope[AlertRaised]) -> str:
    return alert.data.what if alert.data.resolved else f"new alert: {alert.data.what}"


def _retrain(request: Envelope[DataRequested]) -> str:
    return f"models trained anew: {request.data.reason}"
