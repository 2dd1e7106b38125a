"""What a page's form sends."""

from __future__ import annotations

import hmac
import math
from urllib.parse import parse_qs

from fastapi import Request

from cbi_common.core.errors import UsageError
from dashboard.handlers.site import Site

_LARGEST_FORM = 10_000


async def posted(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several of one name the last counts."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise UsageError("too large for a form of this dashboard", where="form")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[-1] for name, values in fields.items()}


async def checked(request: Request, site: Site) -> dict[str, str]:
    """Return the fields of a form that came from a page of ours.

    Raises
    ------
    UsageError
        When it did not.
    """
    form = await posted(request)
    if not hmac.compare_digest(form.get("csrf", "").encode(), site.access.csrf.encode()):
        raise UsageError("this form is from before a restart", where="form", hint="load the page again")
    return form


def who(request: Request) -> str:
    """Return who sent it."""
    return str(getattr(request.state, "who", None) or "local")


def whole(form: dict[str, str], name: str) -> int:
    """Return a whole number.

    Raises
    ------
    UsageError
        When the field holds none.
    """
    text = form.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise UsageError(f"{name} is not a number", where="form", hint="load the page again")
    return int(text)


def figure(form: dict[str, str], name: str) -> float:
    """Return a finite number.

    Raises
    ------
    UsageError
        When the field holds none.
    """
    text = form.get(name, "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{text[:40]!r} is not a number", where=name, hint="go back and correct it")
    return value
