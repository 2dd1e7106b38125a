"""Where this service fits, and what it computes: part of the key of everything it stores."""

from __future__ import annotations

from cbi_common.training.environment import Environment

VERSION = 4
"""Bumped by hand whenever labels, features or scores are computed differently."""

ENVIRONMENT = Environment(device="cpu", libraries=("lightgbm", "numpy"))
