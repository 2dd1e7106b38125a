"""What runs in a child process for the shadow: packing a challenger, and asking both what they say of a new day."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.datasets import load_dataset
from cbi_common.training.served_model import Description
from promoter.archive import unpack
from promoter.domain.package import PackagedMember
from promoter.domain.shadow import Row
from promoter.packaging import store_package
from promoter.serving.model import PackagedModel


def pack(arg: dict[str, Any]) -> dict[str, Any]:
    """Store the package of some horizons of a forecast.

    Parameters
    ----------
    arg : dict
        ``lake`` (URL), ``explained`` (data of `ExplanationReady`) and ``horizons``.

    Returns
    -------
    dict
        ``package``: LakeRef.
    """
    lake, explained = Lake(arg["lake"]), ExplanationReady.model_validate(arg["explained"])
    assert explained.forecast is not None  # the caller has looked
    forecast = ForecastReady.model_validate(lake.get_json(explained.forecast))
    _, ref = store_package(lake, forecast, explained, {Horizon(h) for h in arg["horizons"]})
    return {"package": ref.model_dump(mode="json")}


def compare(arg: dict[str, Any]) -> dict[str, Any]:
    """Ask champion and challenger what they say of the last day of a run.

    Parameters
    ----------
    arg : dict
        ``lake`` (URL), ``manifest`` (run id), ``challenger`` (LakeRef of a package), ``champion`` (the same, or None
        for no-change) and ``horizons``.

    Returns
    -------
    dict
        ``rows``: list of `Row`; ``prices``: session to close, for the last three years.
    """
    lake = Lake(arg["lake"])
    found = lake.find(f"manifest/{arg['manifest']}")
    assert found is not None  # the run has been judged
    manifest = RunManifest.model_validate(lake.get_json(found))
    datasets = _Datasets(lake, manifest)
    horizons = [Horizon(h) for h in arg["horizons"]]
    challenger = _says(lake, arg["challenger"], datasets, horizons)
    champion = (
        dict.fromkeys(horizons, 0.0) if arg["champion"] is None else _says(lake, arg["champion"], datasets, horizons)
    )
    panel = datasets.of("panel")
    rows = [
        Row(
            horizon=horizon,
            session=manifest.as_of_session,
            price=float(panel.price[-1]),
            champion=champion[horizon],
            challenger=challenger[horizon],
        ).model_dump(mode="json")
        for horizon in horizons
        if horizon in champion and horizon in challenger
    ]
    last = slice(max(0, len(panel.sessions) - 3 * 252), None)
    prices = dict(zip(map(str, panel.sessions[last].tolist()), panel.price[last].tolist(), strict=True))
    return {"rows": rows, "prices": prices}


class _Datasets:
    def __init__(self, lake: Lake, manifest: RunManifest) -> None:
        self._lake, self._manifest = lake, manifest
        self._read: dict[str, Dataset] = {}

    def of(self, name: str) -> Dataset:
        if name not in self._read:
            known = load_dataset(self._lake, self._manifest.datasets[name])
            self._read[name] = known.until(self._manifest.as_of_session)
        return self._read[name]

    def rows(self, member: PackagedMember, description: Description) -> Dataset:
        """Return what a packaged model sees on the run's last day; a feature that is gone is not known."""
        data = self.of(load_catalogue().model(member.model_id).dataset)
        place = {name: i for i, name in enumerate(data.names)}
        gone = np.full(len(data.sessions), np.nan)
        columns = [data.features[:, place[name]] if name in place else gone for name in description.features]
        return Dataset(
            sessions=data.sessions,
            dates=data.dates,
            price=data.price,
            features=np.column_stack(columns) if columns else np.empty((len(data.sessions), 0)),
            names=description.features,
        )


def _says(lake: Lake, ref: dict[str, Any], datasets: _Datasets, horizons: list[Horizon]) -> dict[Horizon, float]:
    with TemporaryDirectory(prefix="cbi-shadow-") as folder:
        unpack(lake.get(LakeRef.model_validate(ref)), Path(folder))
        model = PackagedModel(Path(folder)).moved(datasets.rows)
        return {horizon: model.log_return(horizon) for horizon in horizons if horizon in model.package.horizons}
