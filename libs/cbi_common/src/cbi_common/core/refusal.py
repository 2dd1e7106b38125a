"""What is wrong with a person's input, in one line."""

from __future__ import annotations

from pydantic import ValidationError

from cbi_common.core.errors import UsageError


def refusal(error: ValidationError, where: str = "input") -> UsageError:
    """Return the first complaint; its place is the field's, or ``where`` when it is about the whole."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return UsageError(first["msg"].removeprefix("Value error, "), where=place or where)
