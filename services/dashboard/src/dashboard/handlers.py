"""Handlers of HTTP requests: the answers as JSON and the page, both read-only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, StrictUndefined, Template

from cbi_common.core.clock import Clock
from cbi_common.core.errors import IncompleteError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.reporting.tables import percent
from dashboard.domain import page, view
from dashboard.domain.answers import (
    ForecastAnswer,
    GivenUp,
    PredictionsAnswer,
    QualityAnswer,
    RegimeAnswer,
    RunAnswer,
    RunDetail,
)
from dashboard.domain.known import Known

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_NOTHING: dict[int | str, dict[str, Any]] = {503: {"description": "There is no such number yet; the detail says why"}}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def create_api(known: Known, clock: Clock, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the application over ``known``, which something else keeps up to date."""
    api = FastAPI(
        title="CBI dashboard",
        description="Prices in ¢/lb, everything else a fraction.",
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from a CDN
        redoc_url=None,
    )

    @api.exception_handler(IncompleteError)
    async def nothing(_request: Request, error: IncompleteError) -> JSONResponse:
        return JSONResponse({"detail": error.line()}, status_code=503)

    @api.exception_handler(UsageError)
    async def unknown(_request: Request, error: UsageError) -> JSONResponse:
        return JSONResponse({"detail": error.line()}, status_code=404)

    _add_answers(api, known, clock)
    _add_page(api, known, clock)
    return api


def _add_answers(api: FastAPI, known: Known, clock: Clock) -> None:
    @api.get("/api/predictions", responses=_NOTHING)
    async def predictions() -> PredictionsAnswer:
        return view.predictions(known.runs, clock().date())

    @api.get("/api/forecast/{horizon}", responses=_NOTHING)
    async def forecast(horizon: Horizon) -> ForecastAnswer:
        return view.forecast(known.runs, horizon, clock().date())

    @api.get("/api/regime/current", responses=_NOTHING)
    async def regime() -> RegimeAnswer:
        return view.regime(known.runs, clock().date())

    @api.get("/api/quality", responses=_NOTHING)
    async def quality() -> QualityAnswer:
        return view.quality(known.runs)

    @api.get("/api/runs")
    async def all_runs() -> list[RunAnswer]:
        return [view.summary(run) for run in reversed(known.runs.all())]

    @api.get("/api/runs/{run_id}", responses={404: {"description": "No such run"}})
    async def one_run(run_id: str) -> RunDetail:
        return view.detail(known.runs.find(run_id))

    @api.get("/api/dead")
    async def dead() -> tuple[GivenUp, ...]:
        return known.given_up

    @api.get("/asyncapi.json", include_in_schema=False)
    async def events() -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(_event_schema))


def _add_page(api: FastAPI, known: Known, clock: Clock) -> None:
    template = _template()

    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front() -> HTMLResponse:
        text = template.render(page=page.compose(known, clock()), percent=percent)
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


@cache
def _event_schema() -> dict[str, Any]:
    from cbi_common.runtime.schemas import asyncapi

    return asyncapi()


def _template() -> Template:
    source = files("dashboard").joinpath("templates/page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
