"""What runs in a child process: the market's regime, session by session, as it would have been called on the day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import put_table
from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN, rule_labels
from cbi_common.training.datasets import load_dataset
from regime.adapters import lightgbm_multiclass
from regime.domain.classifier import features, folds
from regime.domain.scores import (
    accuracy,
    ahead_accuracy,
    balanced_accuracy,
    brier,
    calibration_error,
    detection_lag,
    switches_per_year,
)
from regime.environment import ENVIRONMENT, VERSION

_AHEAD = (5, 21)


def detect(arg: dict[str, Any]) -> dict[str, Any]:
    """Detect the regime at as_of and at every session since the burn-in began.

    Parameters
    ----------
    arg : {"lake": URL, "manifest": LakeRef as JSON, "key": lake key of the result}

    Returns
    -------
    dict
        Data of `RegimeDetected`, as stored under ``key``.

    Raises
    ------
    DataError
        When the panel does not reach as_of or is too short for one fit.
    """
    lake = Lake(arg["lake"])
    manifest = RunManifest.model_validate(lake.get_json(LakeRef.model_validate(arg["manifest"])))
    rules = market_of(lake, manifest).regime
    panel = _panel(lake, manifest, rules.fear)
    labels = rule_labels(panel["session"], panel["price"], panel["fear"], rules)
    history = _walk(lake, panel, labels, min(w.burn_in_start for w in manifest.windows.values()))
    ref = put_table(lake, f"{arg['key']}.history", history)
    data = _summary(manifest, history, ref).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def _panel(lake: Lake, manifest: RunManifest, fear: str | None) -> dict[str, Any]:
    data = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    if not len(data.sessions) or data.sessions[-1] != manifest.as_of_session:
        raise DataError(f"the panel has no row at {manifest.as_of}", where="regime", hint="export the data again")
    unknown = np.full(len(data.sessions), np.nan)
    known = np.ascontiguousarray(data.features[:, data.names.index(fear)]) if fear in data.names else unknown
    return {"session": data.sessions, "date": data.dates, "price": data.price, "fear": known}


def _walk(lake: Lake, panel: dict[str, Any], labels: Ints, first_session: int) -> pa.Table:
    x = features(panel["session"], panel["price"], panel["fear"])
    parts = []
    for fold in folds(panel["session"], labels, first_session):
        model = _fitted(lake, np.ascontiguousarray(x[fold.train]), labels[fold.train])
        parts.append((slice(fold.start, fold.end), lightgbm_multiclass.probabilities(model, x[fold.start : fold.end])))
    if not parts:
        raise DataError("too few labelled sessions for one fit", where="regime", hint="give a longer history")
    rows = np.concatenate([np.arange(s.start, s.stop) for s, _ in parts])
    chances = np.vstack([p for _, p in parts])
    return _table(panel["session"][rows], panel["date"][rows], labels[rows], chances)


def _fitted(lake: Lake, x: Floats, labels: Ints) -> str:
    rows = [sha256_hex(x.tobytes()), sha256_hex(labels.tobytes())]
    settings = [lightgbm_multiclass.PARAMETERS, lightgbm_multiclass.ROUNDS]
    key = f"regime-fold/{digest(VERSION, ENVIRONMENT.identity(), settings, rows)}"
    stored = lake.get_if_intact(key)
    if stored is not None:
        return stored.decode()
    model = lightgbm_multiclass.fit(x, labels)
    lake.put(key, model.encode())
    return model


def _table(sessions: Ints, dates: Any, labels: Ints, chances: Floats) -> pa.Table:
    names = np.array([*CLASSES, None], dtype=object)  # the last entry is what UNKNOWN (-1) picks
    return pa.table(
        {
            "session": pa.array(sessions, pa.int64()),
            "date": pa.array(dates, pa.date32()),
            "label": pa.array(names[labels].tolist(), pa.string()),
            "state": pa.array(names[chances.argmax(axis=1)].tolist(), pa.string()),
            **{f"p_{regime}": pa.array(chances[:, i], pa.float64()) for i, regime in enumerate(CLASSES)},
        }
    )


def _summary(manifest: RunManifest, history: pa.Table, ref: LakeRef) -> RegimeDetected:
    sessions = history["session"].to_numpy()
    states, labels = (_codes(history[name].to_pylist()) for name in ("state", "label"))
    chances = np.column_stack([history[f"p_{regime}"].to_numpy() for regime in CLASSES])
    ahead = {str(n): ahead_accuracy(sessions, states, labels, n) for n in _AHEAD}
    before = np.flatnonzero(sessions == manifest.as_of_session - 1)
    return RegimeDetected(
        market=manifest.market,
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        state=CLASSES[states[-1]],
        probabilities={regime: float(history[f"p_{regime}"][-1].as_py()) for regime in CLASSES},
        previous_state=CLASSES[states[before[0]]] if len(before) else None,
        nowcast_accuracy=accuracy(states, labels),
        balanced_accuracy=balanced_accuracy(states, labels),
        forward_accuracy={n: forward for n, (forward, _) in ahead.items()},
        persistence_accuracy={n: persistence for n, (_, persistence) in ahead.items()},
        switches_per_year=switches_per_year(states),
        detection_lag=detection_lag(states, labels),
        brier=brier(chances, labels),
        calibration_error=calibration_error(chances, labels),
        n=int((labels != UNKNOWN).sum()),
        history=ref,
    )


def _codes(names: list[str | None]) -> Ints:
    return np.array([UNKNOWN if n is None else CLASSES.index(Regime(n)) for n in names], dtype=np.int64)
