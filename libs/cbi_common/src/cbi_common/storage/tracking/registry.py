"""Registered models: one per market and horizon, with the aliases ``challenger`` and ``champion``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbi_common.core.errors import UsageError
from cbi_common.storage.tracking.store import opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, CHAMPION = "challenger", "champion"
_SHOWN = ("skill", "mase", "mape", "n")
"""Scores that a version carries as tags, so that the list of versions can be read."""


@dataclass(frozen=True)
class Champion:
    """What is in service after a promotion.

    Attributes
    ----------
    name, version, model_id : str
        Registered model, its version, and the model of the catalogue.
    previous : str or None
        Version that was in service before; None where there was none, or the same.
    """

    name: str
    version: str
    model_id: str
    previous: str | None


def registered_name(market: str, horizon: str, *, simulated: bool) -> str:
    """Return the name of a registered model; what learned from simulated data can never pass for another.

    >>> registered_name("zl", "1m", simulated=True)
    'cbi-zl-1m-simulated'
    """
    return f"cbi-{market}-{horizon}{'-simulated' if simulated else ''}"


def register(
    client: MlflowClient,
    folder: Path,
    experiment_id: str,
    run_id: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float | None],
) -> bool:
    """Register a pass's best model of a horizon as challenger, once.

    A version of an earlier day, or one that was registered earlier, never takes the alias from a later one; the alias
    ``champion`` is left where it is.

    Parameters
    ----------
    client : MlflowClient
    folder : Path
        An MLflow model.
    experiment_id, run_id : str
        MLflow's own ids.
    tags : mapping
        `TrackedModel.tags`.
    metrics : mapping

    Returns
    -------
    bool
        Whether it is new.
    """
    name = registered_name(tags["cbi.market"], tags["cbi.horizon"], simulated=tags["cbi.simulated"] == "true")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    version = _version_of(client, name, tags["cbi.run_id"])
    new = version is None
    if version is None:
        scores = {f"cbi.{key}": f"{value:.6g}" for key in _SHOWN if (value := metrics.get(key)) is not None}
        logged = client.create_logged_model(
            experiment_id, name=f"{tags['cbi.model_id']}-{tags['cbi.horizon']}", source_run_id=run_id, tags=dict(tags)
        )
        client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, "READY")
        version = client.create_model_version(
            name,
            logged.artifact_location,
            run_id=run_id,
            tags={**tags, **scores},
            model_id=logged.model_id,
            await_creation_for=0,
        )
    current = _aliased(client, name, CHALLENGER)
    if current is None or _order(current) < _order(version):
        client.set_registered_model_alias(name, CHALLENGER, version.version)
    return new


def set_champion(uri: str, *, market: str, horizon: str, run_id: str, simulated: bool) -> Champion:
    """Give the alias ``champion`` to what a pass registered; giving it again changes nothing.

    Parameters
    ----------
    uri : str
        MLflow tracking URI.
    market, horizon : str
    run_id : str
        The pass.
    simulated : bool
        Whether its data are.

    Raises
    ------
    UsageError
        When the pass registered no model of this market and horizon.
    InfrastructureError
        When the store is away, full or damaged.
    """
    name = registered_name(market, horizon, simulated=simulated)
    with opened(uri) as client:
        version = _version_of(client, name, run_id)
        if version is None:
            raise UsageError(
                f"run {run_id} registered no version", where=f"registered model {name}", hint="let it be tracked first"
            )
        before = _aliased(client, name, CHAMPION)
        changes = before is None or int(before.version) != int(version.version)
        previous = str(before.version) if before is not None and changes else None
        if changes:
            client.set_registered_model_alias(name, CHAMPION, version.version)
    return Champion(name, str(version.version), version.tags["cbi.model_id"], previous)


def _version_of(client: MlflowClient, name: str, run_id: str) -> Any | None:
    found = client.search_model_versions(f"name = '{name}' and tags.`cbi.run_id` = '{run_id}'")
    return min(found, key=lambda version: int(version.version), default=None)


def _aliased(client: MlflowClient, name: str, alias: str) -> Any | None:
    (registered,) = client.search_registered_models(f"name = '{name}'")
    version = registered.aliases.get(alias)
    return None if version is None else client.get_model_version(name, version)


def _order(version: Any) -> tuple[str, int]:
    return version.tags["cbi.as_of"], int(version.version)
