"""What the history says about today, and how good it has been."""

from __future__ import annotations

import numpy as np

from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeAhead, RegimeChallenger, RegimeDetected
from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.domain.scores import (
    accuracy,
    ahead_accuracy,
    balanced_accuracy,
    brier,
    calibration_error,
    detection_lag,
    switches_per_year,
)
from regime.domain.spells import spells
from regime.domain.transition import labels_ahead
from regime.history import AHEAD, CLASSIFIERS, History


def summary(manifest: RunManifest, history: History, ref: LakeRef) -> RegimeDetected:
    """Return the event; the last row of the history is as_of."""
    sessions, labels, states = history.sessions, history.labels, history.states
    spell = spells(states)[-1]
    accuracies = {str(n): ahead_accuracy(sessions, states, labels, n) for n in AHEAD}
    return RegimeDetected(
        market=manifest.market,
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        state=CLASSES[states[-1]],
        probabilities=_by_name(history.chances[-1]),
        previous_state=CLASSES[states[-2]] if len(states) > 1 else None,
        since=history.dates[spell.start].astype("datetime64[D]").item(),
        sessions_in_state=spell.end - spell.start,
        called_by=CLASSIFIERS[history.speakers[-1]],
        nowcast_accuracy=accuracy(states, labels),
        balanced_accuracy=balanced_accuracy(states, labels),
        forward_accuracy={n: forward for n, (forward, _) in accuracies.items()},
        persistence_accuracy={n: persistence for n, (_, persistence) in accuracies.items()},
        switches_per_year=switches_per_year(states),
        detection_lag=detection_lag(states, labels),
        brier=brier(history.chances, labels),
        calibration_error=calibration_error(history.chances, labels),
        ahead={str(n): _ahead(history, n) for n in AHEAD},
        challenger=_challenger(history),
        n=int((labels != UNKNOWN).sum()),
        history=ref,
    )


def _ahead(history: History, sessions: int) -> RegimeAhead:
    today = history.labels
    later = labels_ahead(history.sessions, today, sessions)
    rows = (today != UNKNOWN) & (later != UNKNOWN)
    chances, outcome = history.ahead[sessions][rows], later[rows]
    return RegimeAhead(
        probabilities=_by_name(history.ahead[sessions][-1]),
        accuracy=accuracy(chances.argmax(axis=1), outcome),
        persistence_accuracy=accuracy(today[rows], outcome),
        brier=brier(chances, outcome),
        persistence_brier=brier(np.eye(len(CLASSES))[today[rows]], outcome),
        n=int(rows.sum()),
    )


def _challenger(history: History) -> RegimeChallenger:
    states, labels = history.jumps, history.labels
    return RegimeChallenger(
        name="jump_model",
        state=CLASSES[states[-1]],
        nowcast_accuracy=accuracy(states, labels),
        balanced_accuracy=balanced_accuracy(states, labels),
        forward_accuracy={str(n): ahead_accuracy(history.sessions, states, labels, n)[0] for n in AHEAD},
        switches_per_year=switches_per_year(states),
        detection_lag=detection_lag(states, labels),
    )


def _by_name(chances: Floats) -> dict[Regime, float]:
    return {regime: float(chances[i]) for i, regime in enumerate(CLASSES)}
