"""What a person is told in a mail of its own: an alert, its end, another signal, another state of the market."""

from __future__ import annotations

from typing import Literal

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract
from cbi_common.events.forecast import HorizonForecast, Signal
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.regime import RegimeDetected
from cbi_common.reporting.tables import chance, number, percent

Tone = Literal["act", "bad", "old", "over"]


class Origin(Contract):
    """What a notice is about."""

    market: str | None
    title: str
    unit: str
    simulated: bool | None
    """None: an alert of a pass that never saw data."""

    @property
    def key(self) -> str:
        """Market and world, as a part of a key."""
        world = {True: "simulated", False: "real", None: "unknown"}[self.simulated]
        return f"{self.market or 'none'}.{world}"


class Notice(Contract):
    """One thing to say."""

    tone: Tone
    """``act``: the buyer may want to; ``bad`` and ``old``: critical and less; ``over``: the end of one of these."""
    heading: str
    details: tuple[str, ...] = ()


def of_alert(alert: AlertRaised) -> Notice:
    """Return an alert, or its end, in words."""
    since = f"Since {alert.since}" if alert.since else ""
    where = f"Where: {alert.where}" if alert.where and alert.where not in alert.what else ""
    told = f"Told by {alert.source}" + (f", as of {alert.as_of}" if alert.as_of else "")
    hint = f"What to do: {alert.hint}" if alert.hint else ""
    if alert.resolved:
        return _notice("over", alert.what.removeprefix("over: "), where, since, told)
    return _notice("bad" if alert.severity == "critical" else "old", alert.what, hint, where, since, told)


def condition_of(alert: AlertRaised) -> str:
    """Return what makes two alerts the same; of one that names no condition, all that it says."""
    return alert.condition or digest(alert.source, alert.severity, alert.where, alert.what)


def of_signals(
    before: dict[Horizon, Signal], after: dict[Horizon, HorizonForecast], origin: Origin, as_of: str
) -> Notice | None:
    """Return what has become of the signals, None where nothing has."""
    changed = [h for h in Horizon if h in before and h in after and before[h] != after[h].signal]
    if not changed:
        return None
    heading = ", ".join(f"{h.words} {after[h].signal}, was {before[h]}" for h in changed)
    details = [_signal(h.words, after[h], origin.unit) for h in changed]
    return Notice(tone="act", heading=heading, details=(*details, f"Forecast as of {as_of}"))


def of_regime(before: Regime, found: RegimeDetected) -> Notice:
    """Return the change of the market's state in words."""
    sure = chance(found.probabilities.get(found.state))
    return Notice(
        tone="act",
        heading=f"market state {found.state}, was {before}",
        details=(f"{sure} sure, as of {found.as_of}",),
    )


def _notice(tone: Tone, heading: str, *details: str) -> Notice:
    return Notice(tone=tone, heading=heading, details=tuple(filter(None, details)))


def _signal(name: str, forecast: HorizonForecast, unit: str) -> str:
    move = percent(forecast.point / forecast.current - 1, signed=True)
    return (
        f"{name}, by {forecast.target_date}: {forecast.signal}; forecast {number(forecast.point)} {unit} ({move}), "
        f"90 % band {number(forecast.lower_90)} to {number(forecast.upper_90)}, now {number(forecast.current)}, "
        f"{chance(forecast.probability_up)} likely to rise"
    )
