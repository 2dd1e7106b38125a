"""A stage of a sequence net."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Stage:
    """One step of a net: what is computed, and how wide."""

    kind: Literal["lstm", "gru", "conv", "residual_conv", "position", "encoder", "pool", "last", "mean"]
    width: int = 0
    settings: dict[str, int] = field(default_factory=dict)
