"""Proofs that lie in the lake: what `cbi verify` has found out, and about what."""

from __future__ import annotations

from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import Contract

LEAST_CUTOFFS = 5
"""Interior cutoffs that a poisoning proof needs (DOMAIN section 6)."""


class LeakageProof(Contract):
    """Outcome of the poisoning proof: noise, deletion and insertion after interior cutoffs, in fresh processes."""

    code: str
    """Digest of the program that was proved."""
    market: str
    """Digest of the market file."""
    profile: str
    warehouse: str
    as_of: date
    cutoffs: tuple[int, ...]
    """Sessions after which the data were poisoned."""
    leaks: dict[str, str]
    """Cutoff to the first value before it that changed; empty: the past stood still."""
    planted: dict[str, str | None]
    """Planted leak to where it was found, None where it was not: then the proof proves nothing."""
    models: tuple[str, ...]
    """Ids of the models that took part."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the proof from holding."""
        leaked = [f"after {cutoff} the past changed: {where}" for cutoff, where in sorted(self.leaks.items())]
        missed = [f"planted leak {name} was not found" for name, where in sorted(self.planted.items()) if where is None]
        few = [] if len(self.cutoffs) >= LEAST_CUTOFFS else [f"only {len(self.cutoffs)} cutoffs were poisoned"]
        none = [] if self.planted else ["no leak was planted"]
        return (*leaked, *missed, *few, *none)


class CeilingProof(Contract):
    """What can be known of a simulated market: scores of the forecaster who knows the process, on a run's own rows."""

    warehouse: str
    run_id: str
    r2_against_no_change: dict[Horizon, float]
    skill: dict[Horizon, float]


def leakage_key(*, code: str, market: str, catalogue: str, profile: str) -> str:
    """Return where the proof for a program, market file, catalogue and profile lies."""
    return f"proof/leakage-{digest(code, market, catalogue, profile)[:32]}"


def ceiling_key(run_id: str) -> str:
    """Return where the ceiling of a simulated run lies."""
    return f"proof/ceiling-{run_id}"
