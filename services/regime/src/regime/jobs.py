"""What runs in a child process: the market's regime, session by session, as it would have been called on the day."""

from __future__ import annotations

from typing import Any

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import put_table
from cbi_common.timeseries.regimes import rule_labels
from cbi_common.training.datasets import load_dataset
from regime.summary import summary
from regime.walk import Panel, walk


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
    panel = load_panel(lake, manifest, rules.fear)
    labels = rule_labels(panel.sessions, panel.price, panel.fear, rules)
    history = walk(lake, panel, labels, min(w.burn_in_start for w in manifest.windows.values()))
    ref = put_table(lake, f"{arg['key']}.history", history.table())
    data = summary(manifest, history, ref).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def load_panel(lake: Lake, manifest: RunManifest, fear: str | None) -> Panel:
    """Return the rows of a run's panel up to as_of; ``fear`` names the column of the index of fear, if there is one.

    Raises
    ------
    DataError
        When the panel does not reach as_of.
    """
    data = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    if not len(data.sessions) or data.sessions[-1] != manifest.as_of_session:
        raise DataError(f"the panel has no row at {manifest.as_of}", where="regime", hint="export the data again")
    unknown = np.full(len(data.sessions), np.nan)
    known = np.ascontiguousarray(data.features[:, data.names.index(fear)]) if fear in data.names else unknown
    return Panel(data.sessions, data.dates, data.price, known)
