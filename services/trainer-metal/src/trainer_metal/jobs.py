"""What runs in a child process: one net through its walk-forward, alone on this machine's accelerator; an export."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import InfrastructureError
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.training import job
from cbi_common.training.datasets import load_dataset
from cbi_common.training.resident_memory import LIMIT_MB, resident_limit
from trainer_metal.adapters import saved_model
from trainer_metal.adapters.accelerator import place, present
from trainer_metal.adapters.checkpoints import Checkpoints
from trainer_metal.adapters.keras_dense import Dense
from trainer_metal.adapters.keras_search import RANDOM
from trainer_metal.adapters.keras_sequence import SequenceNet
from trainer_metal.adapters.keras_volatility import DenseVolatility
from trainer_metal.environment import ENVIRONMENT

LOCK = Path("/tmp/cbi-metal.lock")  # noqa: S108  # a Mac gives each user a folder of temporary files of his own
"""One per machine: two stacks share the accelerator, whoever started them. Without one they share nothing but cores."""

MEMORY_LIMIT_MB = LIMIT_MB

COMPARED_ROWS = 64


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """Train one job (see `cbi_common.training.job.train`).

    ``arg`` has ``checkpoints`` besides: the folder where a fit that is killed leaves how far it was.

    Returns
    -------
    dict
        ``models``: data of the `ModelTrained` events; ``warnings``: why an accelerator that is present was not used,
        and trouble with checkpoints.
    """
    watched = resident_limit("trainer-metal", "give it a smaller batch, window or width", limit_mb=MEMORY_LIMIT_MB)
    with FileLock(LOCK, mode=0o666) if present() else nullcontext(), watched:
        placement = place()
        environment = replace(ENVIRONMENT, accelerator=placement.accelerator, precision=placement.precision)
        device, checkpoints = placement.tensorflow_device, Checkpoints(Path(arg["checkpoints"]), arg["key"])
        learners = tuple(kind(device, checkpoints) for kind in (Dense, SequenceNet, DenseVolatility))
        trained = job.train(arg, learners, environment, RANDOM)
        checkpoints.clear()
    warnings = [*placement.warnings, *checkpoints.warnings]
    return {"models": [m.model_dump(mode="json") for m in trained], "warnings": warnings}


def export(arg: dict[str, Any]) -> dict[str, Any]:
    """Write a stored net as a SavedModel and compare it with the net on the newest rows of its dataset.

    Parameters
    ----------
    arg : {"lake": URL, "manifest": LakeRef as JSON, "model_id": str, "artifact": LakeRef as JSON, "to": folder}
        The folder is empty or does not exist.

    Returns
    -------
    dict
        ``input``, ``shape``, ``features``, ``outputs`` of the signature; ``rows`` compared; ``max_abs_diff`` from the
        forward pass in NumPy.

    Raises
    ------
    JobError
        When the graph computes something else than the net; the folder is then not written.
    InfrastructureError
        When the folder cannot be written.
    """
    lake = Lake(arg["lake"])
    manifest = RunManifest.model_validate(lake.get_json(LakeRef.model_validate(arg["manifest"])))
    spec = load_catalogue().model(arg["model_id"])
    artifact = lake.get(LakeRef.model_validate(arg["artifact"]))
    net = (SequenceNet() if spec.learner == SequenceNet.name else Dense()).load(artifact)
    data = load_dataset(lake, manifest.datasets[spec.dataset]).until(manifest.as_of_session)
    signature = saved_model.signature_of(net, "log_return" if spec.quantity == "return" else "log_variance_ratio")
    target = Path(arg["to"]).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            made = Path(folder) / "model"
            saved_model.save(net, signature, made)
            found = saved_model.served(made, signature, saved_model.rows_of(data, signature, COMPARED_ROWS))
            wanted = saved_model.expected(net, data, COMPARED_ROWS)
            difference = saved_model.largest_difference(found, wanted)
            made.replace(target)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write: {error.strerror or error}", where=str(target), hint="give another --to"
        ) from error
    return {
        "input": signature.input,
        "shape": signature.shape,
        "features": list(signature.features),
        "outputs": list(signature.outputs),
        "rows": len(wanted),
        "max_abs_diff": difference,
    }
