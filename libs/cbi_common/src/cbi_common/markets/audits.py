"""Facts about a table that cannot be seen in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class AuditSpec(BaseModel):
    """What the gate is told of a table before it looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$")]
    date: str | None = None
    """Column with the day of the observation; None: told by its name or type."""
    key: tuple[str, ...] = ()
    """Columns that with the date tell rows apart; none: told by their names."""
    instrument: str | None = None
    """What its prices are: a series of the market, with which they are compared, or a name that no series has."""
    related: tuple[str, ...] = ()
    """Series that rightly move with it."""
    modelled: str | None = None
    """Why its values are no observations: nothing of the table is ever used."""
    reference_date: str | None = None
    """Why its days are those of the period described, and not of the release."""
