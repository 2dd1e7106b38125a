"""Where this service fits: part of the key of everything it stores."""

from __future__ import annotations

import sys

from cbi_common.training.environment import Environment

XGBOOST = "xgboost-cpu" if sys.platform == "linux" else "xgboost"
"""Distribution that holds xgboost; on Linux the one without 300 MB of libraries for other people's accelerators."""

ENVIRONMENT = Environment(
    device="cpu",
    libraries=("arch", "lightgbm", "numpy", "prophet", "scipy", "statsforecast", "statsmodels", XGBOOST),
)
