"""Refits off the grid, from a file."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cbi_common.core.errors import UsageError
from cbi_common.events.manifest import GRID, Refit
from cbi_common.timeseries.calendar import session_number

_REFITS = TypeAdapter(tuple[Refit, ...])


def read_refits(file: str) -> tuple[Refit, ...]:
    """Return the refits that a JSON file lists.

    Raises
    ------
    UsageError
        When it is no such list, a date and its session disagree, or a refit claims to be of the grid.
    """
    where, hint = f"--refits {file}", "give a list of {date, session, model_ids, cause}"
    try:
        found = _REFITS.validate_json(Path(file).read_bytes())
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg']}" if place else str(first["msg"]), where=where, hint=hint) from None
    for number, refit in enumerate(found):
        if refit.cause == GRID:
            raise UsageError(f"{number}: a refit of the grid", where=where, hint="list those off the grid only")
        if session_number(refit.date) != refit.session:
            what = f"{number}: {refit.date} is session {session_number(refit.date)}, not {refit.session}"
            raise UsageError(what, where=where, hint="correct one of the two")
    return found
