"""Promotion policies as data."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

POLICIES = ("plan", "relative")
DECIDING = "plan"
"""The policy whose verdict decides; the other is reported beside it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateSpec(_Frozen):
    """One gate: which check, against what."""

    id: str
    check: str
    threshold: float | None = None
    """None for a check that passes or fails without a figure."""
    why: str = Field(min_length=10)


class Policy(_Frozen):
    """A list of gates; all of them must pass."""

    id: str
    why: str
    gate: tuple[GateSpec, ...] = Field(min_length=1)


@cache
def load_policies() -> tuple[Policy, ...]:
    """Read the policies that ship with the service, in the order of `POLICIES`."""
    folder = files("promoter.policies")
    texts = (folder.joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in POLICIES)
    return tuple(Policy.model_validate(tomllib.loads(text)) for text in texts)
