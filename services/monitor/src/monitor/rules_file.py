"""The file of thresholds that ships with the service."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from monitor.domain.rules import Rules


@cache
def load_rules() -> Rules:
    """Return the thresholds of ``rules.toml``."""
    return Rules.model_validate(tomllib.loads(files("monitor").joinpath("rules.toml").read_text(encoding="utf-8")))
