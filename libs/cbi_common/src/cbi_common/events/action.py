"""Events of what a person did on the dashboard."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from cbi_common.events.base import EventData, MarketId


class ActionTaken(EventData):
    """A person had the dashboard do something."""

    subject: ClassVar[str] = "action.taken"

    market: MarketId | None = None
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Who: the name that the login proxy gave, ``token``, or ``local``."""
    action: Literal["replay", "run"]
    what: Annotated[str, StringConstraints(max_length=500)]
    """In one line."""
