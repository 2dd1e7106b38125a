"""Handlers of HTTP requests: the pages, the answers as JSON and CSV, and the few actions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from cbi_common.core.clock import Clock
from cbi_common.core.errors import CbiError, UsageError
from cbi_common.storage.lake import Lake
from dashboard.adapters.actions import Actions
from dashboard.adapters.buyer import Buyer
from dashboard.adapters.guard import Access
from dashboard.adapters.kept import Kept
from dashboard.adapters.scenarios import Scenarios
from dashboard.domain.known import Known
from dashboard.handlers import actions as doing
from dashboard.handlers import answers, development, pages, stream
from dashboard.handlers.form import Stale, Suffix
from dashboard.handlers.site import Site

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

VERSION = "1.0.0"
"""Of the JSON routes: a new field or route raises the second number, anything that breaks a reader the first."""

_STATIC = Path(__file__).parent.parent / "static"


def create_api(
    known: Known,
    clock: Clock,
    lake: Lake,
    lifespan: Lifespan | None = None,
    *,
    actions: Actions | None = None,
    buyer: Buyer | None = None,
    scenarios: Scenarios | None = None,
    access: Access | None = None,
    market: str = "zl",
) -> FastAPI:
    """Return the application over ``known``, which something else keeps up to date.

    Parameters
    ----------
    known : Known
    clock : Clock
        Tells how old a number is.
    lake : Lake
        Has what is too large for an event: the gate's full report, the track record.
    lifespan : callable, optional
        Runs while the application is served.
    actions : Actions, optional
        What a person may have done; None leaves the pages to be read only.
    buyer : Buyer, optional
        Tests what buying would have cost; None: the pages say that nothing does.
    scenarios : Scenarios, optional
        Whom questions of what-if are asked of.
    access : Access, optional
        Signs forms and logins; who comes in is the guard's business.
    market : str
        What a run is asked for at first.
    """
    api = FastAPI(
        title="CBI dashboard",
        version=VERSION,
        description="Prices in the unit that stands beside them, everything else a fraction.",
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from a CDN
        redoc_url=None,
    )
    site = Site(
        known,
        clock,
        lake,
        actions=actions,
        buyer=buyer,
        scenarios=scenarios or Scenarios(None),
        access=access or Access(),
        market=market,
        static=_digest(),
    )
    _add_errors(api, site)
    for part in (answers, development, pages, doing, stream):
        part.add(api, site)
    api.mount("/static", StaticFiles(directory=_STATIC), name="static")
    api.add_middleware(Stale, known=known)
    api.add_middleware(Kept, stamp=site.stamp)
    api.add_middleware(Suffix)
    return api


def _add_errors(api: FastAPI, site: Site) -> None:
    def refused(request: Request, status: int, detail: str) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse({"detail": detail}, status_code=status)
        return site.trouble(HTTPStatus(status).phrase, detail, status)

    @api.exception_handler(CbiError)
    async def unable(request: Request, error: CbiError) -> Response:
        if site.known.reading:
            return refused(request, 503, "the events are still being read; try again in a moment")
        asked = request.method == "GET"
        status = (404 if asked else 400) if isinstance(error, UsageError) else 503
        return refused(request, status, error.line())

    @api.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        if request.url.path.startswith("/api/"):
            return await request_validation_exception_handler(request, error)
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return site.trouble("That cannot be shown", wrong, 422)

    @api.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        return refused(request, error.status_code, str(error.detail))


def _digest() -> str:
    found = blake2b(digest_size=6)
    for file in sorted(_STATIC.iterdir()):
        found.update(file.read_bytes())
    return found.hexdigest()
