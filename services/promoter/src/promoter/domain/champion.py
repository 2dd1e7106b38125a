"""Who serves: one pointer per market, changed by compare-and-set, with the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef

TargetName = Literal["local", "vertex"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Serving(_Frozen):
    """A version that serves, or has served."""

    run_id: str
    version: str
    target: TargetName
    package: LakeRef
    horizons: tuple[Horizon, ...]
    policy: str
    since: datetime


class Champion(_Frozen):
    """Who serves a market now, and who did before: the last of ``former`` is who comes back."""

    now: Serving | None = None
    former: tuple[Serving, ...] = ()

    def succeeded(self, serving: Serving) -> Champion:
        """Return the pointer after a promotion."""
        return Champion(now=serving, former=(*self.former, *([self.now] if self.now else [])))

    def rolled_back(self) -> Champion:
        """Return the pointer with the one before back in place; without one, nobody serves."""
        if not self.former:
            return Champion()
        return Champion(now=self.former[-1], former=self.former[:-1])


def champion_key(market: str, simulated: bool) -> str:
    """Return where a market's pointer lies: a champion of a simulated market never serves the real one."""
    return f"champion.{market}.{'simulated' if simulated else 'real'}"
