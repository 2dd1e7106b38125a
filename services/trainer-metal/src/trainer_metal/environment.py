"""Where this service fits: part of the key of everything it stores."""

from __future__ import annotations

import sys

from cbi_common.training.environment import Environment

_TENSORFLOW = "tensorflow" if sys.platform == "darwin" else "tensorflow-cpu"

ENVIRONMENT = Environment(device="metal", libraries=("keras", "numpy", _TENSORFLOW), precision="float32")
