"""What is served: the members of one run's ensemble, their weights and bands, as a folder that needs nothing else."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.horizon import Horizon

LAYOUT = 1
DESCRIPTION = "package.json"
"""Name of the file that describes a package."""

Weight = Annotated[float, Field(gt=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PackagedMember(_Frozen):
    """One model of a horizon: where it lies, what loads it, what it counts for, and what it said."""

    model_id: str
    device: str
    folder: str
    """Relative to the package."""
    rows: str
    """File of the rows that it sees, relative to the package."""
    weight: Weight
    log_return: float


class PackagedHorizon(_Frozen):
    """The forecast of one horizon at as_of, prices in the market's unit, and what makes it."""

    target_date: date
    current: Annotated[float, Field(gt=0)]
    point: Annotated[float, Field(gt=0)]
    lower_90: Annotated[float, Field(gt=0)]
    upper_90: Annotated[float, Field(gt=0)]
    members: tuple[PackagedMember, ...]
    """With a weight; what is missing to 1 is no-change's."""
    groups: dict[str, float]
    """Driver group to its share of ``point - current``; empty where nobody has explained it."""


class Package(_Frozen):
    """Description of a package; lies in it as ``package.json``."""

    layout: int = LAYOUT
    market: str
    title: str
    unit: str
    run_id: str
    as_of: date
    simulated: bool
    drivers: dict[str, dict[str, str]]
    """Series to its features that move with it, each with what a move of the series does to it: ``log`` adds the log
    move, ``level`` multiplies."""
    group_of: dict[str, str]
    horizons: dict[Horizon, PackagedHorizon]
