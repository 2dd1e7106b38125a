"""What a person may do: log in, have a message sent again, ask for a run; `decisions` has the rest."""

from __future__ import annotations

from typing import cast, get_args
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from cbi_common.core.errors import UsageError
from cbi_common.events.manifest import Profile
from dashboard.adapters.actions import Actions
from dashboard.adapters.guard import COOKIE, SESSION_S
from dashboard.domain.pages.chrome import chrome
from dashboard.handlers import decisions
from dashboard.handlers.posted import checked, posted, who, whole
from dashboard.handlers.site import Site, Trouble


def add(api: FastAPI, site: Site) -> None:
    """Add the routes of all actions."""
    _add_login(api, site)
    if site.actions is not None:
        _add_actions(api, site, site.actions)
        decisions.add(api, site, site.actions)


def _add_login(api: FastAPI, site: Site) -> None:
    def page(message: str, then: str, status: int = 200) -> HTMLResponse:
        return site.page("login", Trouble(chrome("", "Login", site.known, None), message, _local(then)), status)

    @api.get("/login", response_class=HTMLResponse, include_in_schema=False)
    async def ask(next: str = "/") -> HTMLResponse:  # the name of the parameter in the address
        return page("", next)

    @api.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        form = await posted(request)
        then = _local(form.get("next", "/"))
        if not site.access.fits(form.get("token", "")):
            return page("That is not the token.", then, 401)
        answer = RedirectResponse(then, status_code=303)
        answer.set_cookie(
            COOKIE, site.access.session(), max_age=SESSION_S, httponly=True, samesite="strict",
            secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
        )  # fmt: skip
        return answer


def _add_actions(api: FastAPI, site: Site, actions: Actions) -> None:
    @api.post("/actions/replay", include_in_schema=False)
    async def replay(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        await actions.replay(whole(form, "number"), who(request))
        return RedirectResponse("/runs#dead", status_code=303)

    @api.post("/actions/run", include_in_schema=False)
    async def run(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        market, profile = form.get("market", ""), form.get("profile", "")
        known = get_args(Profile)
        if profile not in known:
            raise UsageError(f"no profile {profile[:40]!r}", where="form", hint=f"one of {', '.join(known)}")
        try:
            await actions.run(market, cast("Profile", profile), who(request), whole(form, "seen"))
        except ValidationError as error:
            raise UsageError(f"{market[:40]!r} is not a market's name", where="form") from error
        return RedirectResponse("/runs", status_code=303)


def _local(address: str) -> str:
    """Return the address if it is one of this site, else the first page."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return address if safe and address.isprintable() else "/"
