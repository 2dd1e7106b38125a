"""The jobs of a run, and the identity of what a job produces."""

from __future__ import annotations

from cbi_common.catalogue.spec import Catalogue, load_catalogue
from cbi_common.core.identity import digest
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import Device, Job
from cbi_common.training.environment import Environment

_RESULT = 2
"""Bumped by hand when a result says more of the same folds."""


def plan(manifest: RunManifest, catalogue: Catalogue, device: Device) -> list[Job]:
    """Return the jobs of a run on one device, sorted by model, each with the horizons that the run expects.

    Raises
    ------
    UsageError
        When the manifest expects a model that the catalogue does not have.
    """
    expected: dict[str, set[str]] = {}
    for member in manifest.members:
        expected.setdefault(member.model_id, set()).add(member.horizon)
    jobs = []
    for model_id in sorted(expected):
        spec = catalogue.model(model_id)
        if spec.device != device:
            continue
        for horizons in spec.jobs():
            wanted = tuple(h for h in horizons if h in expected[model_id])
            if wanted:
                jobs.append(Job(model_id=model_id, horizons=wanted, spec_sha256=spec.sha256))
    return jobs


def job_id(job: Job) -> str:
    """Return what tells the jobs of one run apart."""
    return "-".join((job.model_id, *job.horizons))


def job_key(manifest: RunManifest, job: Job, dataset: str, environment: Environment) -> str:
    """Return the lake key of a job's result: a digest of all that decides it.

    The run id and the other models' refits are not part of it, so a change to one model leaves the others' results.
    """
    ref, refits = manifest.datasets.get(dataset), manifest.refits_of(job.model_id)
    usable, profile = manifest.usable_from.get(dataset), load_catalogue().profiles[manifest.profile]
    decided = digest(
        _RESULT,
        environment.identity(),
        job.model_dump(mode="json"),
        manifest.market,
        # Era weights, and which features serve which horizons.
        None if manifest.market_file is None else manifest.market_file.sha256,
        None if ref is None else ref.sha256,
        [refit.session for refit in refits],
        # What becomes usable after the last refit is used by none.
        None if usable is None else {n: s for n, s in usable.items() if refits and s <= refits[-1].session},
        {h: manifest.windows[h].model_dump() for h in job.horizons if h in manifest.windows},
        manifest.cutoff_every,
        manifest.as_of_session,
        # What a profile finds out besides.
        [profile.trials, profile.hold_outs],
    )
    return f"trained/{decided}"
