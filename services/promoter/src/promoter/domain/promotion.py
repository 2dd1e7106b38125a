"""A promotion under way: its steps, what each of them left, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import LakeRef
from promoter.domain.champion import TargetName

Facts = Mapping[str, str]
"""What a step left: names, versions, addresses."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PlannedStep(_Frozen):
    """One step of a target."""

    name: str
    says: str
    """What it does, in words."""
    billable: bool = False
    cost: str = ""
    """What it costs, as an estimate, with its date."""


class Promotion(_Frozen):
    """What is promoted where, and what has been done of it."""

    market: str
    simulated: bool
    run_id: str
    package: LakeRef
    horizons: tuple[Horizon, ...]
    target: TargetName
    policy: str
    labels: dict[str, str]
    shadow: str = ""
    """What the comparison in the shadow said, or that it was left out."""
    done: dict[str, dict[str, str]] = {}
    """Name of a step to what it left."""
    status: Literal["running", "finished"] = "running"

    @property
    def id(self) -> str:
        """Digest of what is promoted where; the same promotion again has the same."""
        return digest(self.market, self.simulated, self.package.sha256, self.target)[:16]

    @property
    def version(self) -> str:
        """Name of the version at the target."""
        return f"v-{self.id}"

    def with_step(self, name: str, facts: Facts) -> Promotion:
        """Return it with one more step done."""
        return self.model_copy(update={"done": {**self.done, name: dict(facts)}})


def promotion_key(market: str, simulated: bool) -> str:
    """Return where the promotion of a market that is under way lies: one at a time."""
    return f"promotion.{market}.{'simulated' if simulated else 'real'}"
