"""A model of a run as it forecasts at as_of: its bytes, what it sees, and how to load it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from cbi_common.catalogue.spec import ModelSpec, load_catalogue
from cbi_common.core.errors import InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.spec import Market
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.selection import visible
from cbi_common.training.served_model import Description, ServedModel
from cbi_common.training.walk_forward import withheld

LOADERS = "cbi.models"
"""Entry points of the trainers: device to the module whose ``_load_pyfunc`` reads a stored model."""


@dataclass(frozen=True)
class LiveModel:
    """What a model saw when it made its forecast at as_of.

    Attributes
    ----------
    description : Description
    known : Dataset
        Rows known at as_of, with the columns that its last refit was allowed to see.
    """

    description: Description
    known: Dataset


def live_model(
    spec: ModelSpec,
    horizon: Horizon,
    fitted: Sequence[Horizon],
    manifest: RunManifest,
    market: Market,
    dataset: Dataset,
    last_refit: int,
) -> LiveModel:
    """Return a model as it forecasts at as_of.

    Parameters
    ----------
    spec : ModelSpec
    horizon : the one that is asked for
    fitted : horizons at which the run has the model
    manifest : RunManifest
    market : Market
    dataset : Dataset
        The spec's, whole.
    last_refit : int
        Session of the refit that serves as_of.
    """
    mine = set(fitted) if spec.joint else {horizon}
    horizons = tuple(h for h in spec.horizons if h in mine)
    data = visible(dataset.until(manifest.as_of_session), spec, market, horizons)
    data = data.without(withheld(data.names, manifest.usable_from.get(spec.dataset), last_refit))
    described = Description(
        model_id=spec.id, learner=spec.learner, horizons=horizons, horizon=horizon, features=data.names
    )
    return LiveModel(described, data)


def device_of(model_id: str) -> str:
    """Return the device whose trainer fits a model, which is the name of its loader."""
    return load_catalogue().model(model_id).device


@cache
def loader_of(device: str) -> Callable[[str], ServedModel]:
    """Return what reads a stored model of a device's trainer.

    Raises
    ------
    InfrastructureError
        When that trainer is not installed here.
    """
    for entry in entry_points(group=LOADERS, name=device):
        load: Callable[[str], ServedModel] = import_module(entry.value)._load_pyfunc
        return load
    raise InfrastructureError(
        f"nothing here can load a model of device {device!r}",
        where=LOADERS,
        hint=f"install the trainer for {device} (its distribution is enough, it need not run)",
    )
