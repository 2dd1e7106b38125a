"""Where this service fits: part of the key of everything it stores."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from cbi_common.training.environment import Environment

_TENSORFLOW = "tensorflow" if sys.platform == "darwin" else "tensorflow-cpu"

NETS_VERSION = 2
"""Bumped by hand whenever a net learns otherwise; 2: the order of the rows follows from seed and epoch alone."""


@dataclass(frozen=True)
class NetEnvironment(Environment):
    """Where nets are fitted, and the version of how."""

    def identity(self) -> dict[str, Any]:
        """Return what goes into the key of everything that is computed here."""
        return {**super().identity(), "nets": NETS_VERSION}


ENVIRONMENT = NetEnvironment(device="metal", libraries=("keras", "numpy", _TENSORFLOW), precision="float32")
