"""What else than data and configuration decides a model's bits."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from cbi_common.events.training import Device

HARNESS_VERSION = 2
"""Bumped by hand whenever walk-forward, a learner or the predictions table computes something else."""


@dataclass(frozen=True)
class Environment:
    """Where a trainer computes.

    Attributes
    ----------
    device : queue the job came from
    libraries : names of the distributions whose version can change a result
    precision : type of the numbers in the fit
    accelerator : what the fit runs on
    """

    device: Device
    libraries: tuple[str, ...]
    precision: str = "float64"
    accelerator: str = "cpu"

    def identity(self) -> dict[str, Any]:
        """Return what goes into the key of everything that is computed here."""
        return {
            "harness": HARNESS_VERSION,
            "device": self.device,
            "accelerator": self.accelerator,
            "precision": self.precision,
            "machine": f"{platform.system()}-{platform.machine()}",
            "libraries": {name: _version(name) for name in self.libraries},
        }


@cache
def _version(name: str) -> str:
    # Every fold has a key, and reading a distribution's metadata takes half a millisecond.
    return version(name)
