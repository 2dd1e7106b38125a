"""Features of the market file, and what was known of each by a refit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import UsageError
from cbi_common.markets.spec import FeatureSpec, Market
from ingest.domain.kinds import CALENDAR_KINDS, KINDS
from ingest.domain.panel import Panel

Floats = NDArray[np.float64]

MIN_KNOWN = 126
"""Sessions on which a feature must have been known by a refit; with fewer it is noise to a model."""


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


class Knowledge:
    """What was known of each feature by a session: how often, and whether it ever moved.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    features : name to (n,) float64
        At least one.
    """

    def __init__(self, sessions: NDArray[np.int64], features: dict[str, Floats]) -> None:
        self._names = tuple(features)
        self._sessions = sessions
        values = np.column_stack(list(features.values()))
        self._known = np.cumsum(~np.isnan(values), axis=0)
        self._moved = np.fmax.accumulate(values, axis=0) > np.fmin.accumulate(values, axis=0)

    def unusable(self, session: int) -> dict[str, str]:
        """Return the features that a model fitted at ``session`` must do without, each with the reason.

        Decided from the rows at or before ``session`` alone (DESIGN section 9.3).
        """
        last = int(np.searchsorted(self._sessions, session, side="right")) - 1
        if last < 0:
            return dict.fromkeys(self._names, "no session by then")
        reasons = {}
        for i, name in enumerate(self._names):
            if self._known[last, i] < MIN_KNOWN:
                reasons[name] = f"known on {self._known[last, i]} sessions, {MIN_KNOWN} are needed"
            elif not self._moved[last, i]:
                reasons[name] = "constant"
        return reasons


def _compute(feature: FeatureSpec, panel: Panel) -> Floats:
    where = f"market feature {feature.name}"
    kind = CALENDAR_KINDS.get(feature.kind) or KINDS.get(feature.kind)
    if kind is None:
        known = ", ".join(sorted([*KINDS, *CALENDAR_KINDS]))
        raise UsageError(f"no kind {feature.kind!r}", where=where, hint=f"known are: {known}")
    inputs = [panel.dates] if feature.kind in CALENDAR_KINDS else [panel.series[name] for name in feature.inputs]
    try:
        values = kind(*inputs, **feature.params)
    except TypeError as error:
        raise UsageError(f"kind {feature.kind!r}: {error}", where=where, hint="correct inputs and params") from error
    # An infinity would come of a zero in a ratio; nobody knows what it is worth.
    return np.where(np.isfinite(values), values, np.nan)
