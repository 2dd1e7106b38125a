"""Three sentences on a forecast, made by rules from its numbers: what is expected, why, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import HorizonForecast
from cbi_common.events.training import Metrics
from cbi_common.reporting.tables import percent
from explain.domain.words import ahead, group_name

_STILL = 0.1
"""Standard deviations over the horizon below which a move is called none."""

_HEARD = 0.1
"""Share of the largest reason below which another is not mentioned."""

_MOST = 2
_SIGNIFICANCE = 0.05 / len(Horizon)
"""Every day five horizons are looked at, of which one may look good by luck."""

_FEW_PERIODS = 20.0


def why(
    horizon: Horizon, forecast: HorizonForecast, groups: Mapping[str, float], *, what: str, unit: str
) -> tuple[str, str, str]:
    """Return the sentences.

    Parameters
    ----------
    horizon : Horizon
    forecast : HorizonForecast
    groups : driver group to its share of the move, in ``unit``
    what : str
        Name of what is traded.
    unit : str
        Of the prices.
    """
    return _expected(horizon, forecast, _within(what), unit), _reasons(forecast, groups, unit), _trust(forecast.metrics)


def _within(name: str) -> str:
    """Return a name as it stands within a sentence: soybean oil, but WTI crude oil and S&P 500."""
    first, _, rest = name.partition(" ")
    return name if first[1:] != first[1:].lower() else f"{first.lower()}{' ' if rest else ''}{rest}"


def _expected(horizon: Horizon, forecast: HorizonForecast, what: str, unit: str) -> str:
    move = forecast.point / forecast.current - 1
    if abs(move) < _STILL * forecast.volatility:
        where = f"about where it is today ({forecast.point:.2f} {unit} against {forecast.current:.2f})"
    else:
        side = "above" if move > 0 else "below"
        where = f"at {forecast.point:.2f} {unit}, {percent(abs(move))} {side} today's {forecast.current:.2f}"
    return (
        f"{ahead(horizon)}, on {forecast.target_date:%-d %B %Y}, {what} is expected {where}, "
        f"and with nine chances in ten between {forecast.lower_90:.2f} and {forecast.upper_90:.2f}."
    )


def _reasons(forecast: HorizonForecast, groups: Mapping[str, float], unit: str) -> str:
    heard = _heard(groups)
    if not heard:
        return "No reason stands out: nothing that the models look at moves the forecast by a hundredth."
    up, down = ([item for item in heard if (item[1] > 0) is rising][:_MOST] for rising in (True, False))
    rises = forecast.point >= forecast.current
    main, against = ("up", "down") if (rises and up) or not down else ("down", "up")
    reasons = {"up": up, "down": down}
    text = f"In {unit}, {_pushed(reasons[main], 'push')} the forecast {main}"
    if not reasons[against]:
        return f"{text}, and nothing of note pulls it {against}."
    return f"{text}; {_pushed(reasons[against], 'pull')} it {against}."


def _heard(groups: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the groups worth a word, largest first."""
    ordered = sorted(groups.items(), key=lambda item: (-abs(item[1]), item[0]))
    least = _HEARD * abs(ordered[0][1]) if ordered else 0.0
    return [(name, share) for name, share in ordered if abs(share) >= least and round(share, 2) != 0]


def _pushed(reasons: Sequence[tuple[str, float]], verb: str) -> str:
    names = " and ".join(f"{group_name(name)} ({share:+.2f})" for name, share in reasons)
    return f"{names} {verb}{'es' if verb == 'push' else 's'}" if len(reasons) == 1 else f"{names} {verb}"


def _trust(metrics: Metrics) -> str:
    if metrics.skill is None or metrics.mape is None or metrics.no_change_mape is None:
        return "Nothing like it has come due yet, so nobody can say how far to trust it."
    missed = (
        f"Forecasts made like this one missed by {percent(metrics.mape)} on average, "
        f"and saying that the price stays would have missed by {percent(metrics.no_change_mape)}"
    )
    if metrics.n_effective < _FEW_PERIODS:
        return f"{missed}; with only {metrics.n_effective:.0f} periods to judge by, that proves nothing."
    if metrics.skill > 0 and metrics.dm_p is not None and metrics.dm_p < _SIGNIFICANCE:
        return f"{missed}: better, and hardly by luck."
    return f"{missed}: as far as anyone can tell, no better."
