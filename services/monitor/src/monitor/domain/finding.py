"""What a rule found to be wrong as of a day."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract

Kind = Literal["performance", "feature", "importance", "correlation", "regime"]


class Finding(Contract):
    """A condition that holds; the name stays the same for as long as it does."""

    condition: str
    """``kind/where``."""
    where: str
    what: str
    """In one line: what, and how bad."""
    hint: str
    """What to do."""
    since: date
    """First day on which it could be seen."""
    evidence: dict[str, Any] = {}
    kind: Kind | None = None
    """Kind of drift, None where it is none (a feed that stands still)."""
    action: Literal["retrain", "alert"] = "alert"
    horizon: Horizon | None = None
