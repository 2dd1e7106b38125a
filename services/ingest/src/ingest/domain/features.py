"""Features of the market file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import UsageError
from cbi_common.markets.spec import FeatureSpec, Market
from ingest.domain.kinds import CALENDAR_KINDS, KINDS
from ingest.domain.panel import Panel

Floats = NDArray[np.float64]


def compute_features(market: Market, panel: Panel) -> dict[str, Floats]:
    """Return the features whose series all came through the gate, in the order of the market file.

    Raises
    ------
    UsageError
        When a feature names a kind that does not exist or parameters that the kind does not take.
    """
    usable = [feature for feature in market.features if all(name in panel.series for name in feature.inputs)]
    return {feature.name: _compute(feature, panel) for feature in usable}


def lost_features(market: Market, lost: dict[str, str]) -> dict[str, str]:
    """Return the features that a lost series makes impossible, each with the reason."""
    found = ((f.name, [name for name in f.inputs if name in lost]) for f in market.features)
    return {name: lost[missing[0]] for name, missing in found if missing}


def _compute(feature: FeatureSpec, panel: Panel) -> Floats:
    where = f"market feature {feature.name}"
    kind = CALENDAR_KINDS.get(feature.kind) or KINDS.get(feature.kind)
    if kind is None:
        known = ", ".join(sorted([*KINDS, *CALENDAR_KINDS]))
        raise UsageError(f"no kind {feature.kind!r}", where=where, hint=f"known are: {known}")
    dates = [panel.dates] if feature.kind in CALENDAR_KINDS else []
    inputs = [*dates, *(panel.series[name] for name in feature.inputs)]
    try:
        values = kind(*inputs, **feature.params)
    except (TypeError, ValueError) as error:
        raise UsageError(f"kind {feature.kind!r}: {error}", where=where, hint="correct inputs and params") from error
    # An infinity would come of a zero in a ratio; nobody knows what it is worth.
    return np.where(np.isfinite(values), values, np.nan)
