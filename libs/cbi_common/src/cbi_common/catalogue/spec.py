"""Model catalogue: which models a profile trains, on what, how often they are refitted."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.core.regime import Regime

Family = Literal[
    "statistical", "trees", "simple_nets", "advanced_nets", "regime_specialists", "volatility", "ensembles"
]


Quantity = Literal["return", "volatility"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(_Frozen):
    """One entry of the catalogue; it stands for one model per horizon."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    family: Family
    learner: str
    """Name under which a trainer knows the learning algorithm."""
    device: Literal["cpu", "metal"]
    dataset: str = "full"
    weights: Literal["uniform", "capped", "plan"] = "uniform"
    eras: tuple[str, ...] = ()
    """Learn from the rows of these eras of the market file alone; none: from all."""
    regime: Regime | None = None
    """Learn from the rows alone on which the market was in this regime, as the rules said on the day."""
    monotone: bool = False
    """Hold the model to the signs that the market file expects of its drivers."""
    core: bool = False
    """See the few features alone that the market file calls its core."""
    horizons: tuple[Horizon, ...] = tuple(Horizon)
    joint: bool = False
    """One fit serves all horizons: one job instead of one per horizon."""
    seed: int = 20200101
    params: dict[str, Any] = {}
    tune: dict[str, list[Any]] = {}
    """Parameters to choices that a profile with trials tries on targets before 2020."""
    long: bool = False
    """Forecasts all of the history that its training rows allow, not the burn-in alone: what a quarter of a century of
    matured errors says is worth more, a year ahead, than two years of them. For models that fit in a blink."""
    hold_out: bool = False
    """Learns from each row on its own, so that an era or a regime can be left out and forecast (profile full)."""
    refit_every: dict[str, int] = Field(min_length=1)
    """Profile to the number of refit periods between two fits; a profile that is not named does not train the model."""
    why: str = Field(min_length=10)

    @property
    def sha256(self) -> str:
        """Digest of what decides the fit: the reason, the name and the profiles do not."""
        fields = self.model_dump(
            mode="json", exclude={"id", "family", "device", "horizons", "long", "refit_every", "why"}
        )
        return digest(fields)

    @property
    def quantity(self) -> Quantity:
        """What it forecasts: the log return over a horizon, or its standard deviation."""
        return "volatility" if self.family == "volatility" else "return"

    def jobs(self) -> list[tuple[Horizon, ...]]:
        """Return the horizons of each job."""
        return [self.horizons] if self.joint else [(h,) for h in self.horizons]


class ProfileSpec(_Frozen):
    """How long a run looks back; periods are refit periods of ``refit_sessions`` sessions."""

    refit_sessions: int = 21
    cutoff_sessions: int = 5
    scored_periods: int
    burn_in_periods: int
    min_train_sessions: int
    trials: int = 0
    """Other parameters tried for each model that names choices."""
    hold_outs: bool = False
    """Whether models are also trained without each era and regime."""


class Catalogue(_Frozen):
    """All models and profiles."""

    profiles: dict[str, ProfileSpec]
    models: tuple[ModelSpec, ...]

    @property
    def sha256(self) -> str:
        """Digest of the whole catalogue."""
        return digest(self.model_dump(mode="json"))

    def of_profile(self, profile: str) -> tuple[ModelSpec, ...]:
        """Return the models that ``profile`` trains, in the order of their ids."""
        return tuple(sorted((m for m in self.models if profile in m.refit_every), key=lambda m: m.id))

    def model(self, model_id: str) -> ModelSpec:
        """Return one model.

        Raises
        ------
        UsageError
            When the catalogue has no such model.
        """
        for model in self.models:
            if model.id == model_id:
                return model
        raise UsageError(f"no model {model_id!r}", where="catalogue", hint="`cbi leaderboard` lists the models")


@cache
def load_catalogue() -> Catalogue:
    """Read the catalogue that ships with the library."""
    raw = tomllib.loads(files("cbi_common.catalogue").joinpath("models.toml").read_text(encoding="utf-8"))
    return Catalogue(profiles=raw["profile"], models=raw["model"])
