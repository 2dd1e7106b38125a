"""Where this service fits: part of the key of every fit that it stores."""

from __future__ import annotations

from cbi_common.training.environment import Environment

ENVIRONMENT = Environment(device="cpu", libraries=("lightgbm", "numpy"))
