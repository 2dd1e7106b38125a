"""Handlers of HTTP requests: the answers as JSON and the page, both read-only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from cbi_common.core.clock import Clock
from cbi_common.core.errors import IncompleteError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.data import Verdict
from cbi_common.reporting.tables import percent
from cbi_common.storage.lake import Lake
from dashboard.adapters.reports import in_full
from dashboard.domain import development, page, quality, view
from dashboard.domain.answers import (
    ForecastAnswer,
    GivenUp,
    PredictionsAnswer,
    QualityAnswer,
    Refusal,
    RegimeAnswer,
    RunAnswer,
    RunDetail,
)
from dashboard.domain.development import (
    ExplanationAnswer,
    MonitoringAnswer,
    ShadowAnswer,
    Source,
    ValidationAnswer,
)
from dashboard.domain.known import Known

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_NOTHING: dict[int | str, dict[str, Any]] = {
    503: {"model": Refusal, "description": "There is no such number yet; the detail says why"}
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Refusal, "description": "No such run"}}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def create_api(known: Known, clock: Clock, lake: Lake, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the application over ``known``, which something else keeps up to date.

    Parameters
    ----------
    known : Known
    clock : Clock
        Tells how old a number is.
    lake : Lake
        Has what is too large for an event: the gate's full report.
    lifespan : callable, optional
        Runs while the application is served.
    """
    api = FastAPI(
        title="CBI dashboard",
        description="Prices in the unit that stands beside them, everything else a fraction.",
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

    _add_answers(api, known, clock, lake)
    _add_development(api, known, clock)
    _add_pages(api, known, clock, lake)
    return api


def _add_answers(api: FastAPI, known: Known, clock: Clock, lake: Lake) -> None:
    @api.get("/api/predictions", responses=_NOTHING)
    async def predictions() -> PredictionsAnswer:
        """The newest final forecast, all horizons."""
        return view.predictions(known.runs, clock().date())

    @api.get("/api/forecast/{horizon}", responses=_NOTHING)
    async def forecast(horizon: Horizon) -> ForecastAnswer:
        """The newest final forecast of one horizon."""
        return view.forecast(known.runs, horizon, clock().date())

    @api.get("/api/regime/current", responses=_NOTHING)
    async def regime() -> RegimeAnswer:
        """The newest state of the market, and how good calling it has been."""
        return view.regime(known.runs, clock().date())

    @api.get("/api/quality", responses=_NOTHING)
    async def tables() -> QualityAnswer:
        """The data gate's newest verdict, table by table."""
        return await _quality(known, lake)

    @api.get("/api/runs")
    async def all_runs() -> list[RunAnswer]:
        """Every pass, newest first."""
        return [view.summary(run) for run in reversed(known.runs.all())]

    @api.get("/api/runs/{run_id}", responses=_UNKNOWN)
    async def one_run(run_id: str) -> RunDetail:
        """One pass by its run id, or by the beginning of the id of any of its events."""
        return view.detail(known.runs.find(run_id))

    @api.get("/api/dead")
    async def dead() -> tuple[GivenUp, ...]:
        """Messages that were given up, oldest first."""
        return known.given_up

    @api.get("/asyncapi.json", include_in_schema=False)
    async def events() -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(_event_schema))


def _add_development(api: FastAPI, known: Known, clock: Clock) -> None:
    @api.get("/api/explain/{horizon}", responses=_NOTHING)
    async def explain(horizon: Horizon) -> ExplanationAnswer:
        """Why the forecast of a horizon differs from no-change."""
        return development.explanation(known.runs, horizon, clock().date())

    @api.get("/api/validate", responses=_NOTHING)
    async def validate(source: Source = "walk_forward") -> ValidationAnswer:
        """Matured forecasts against what happened: as served at past cutoffs, or as issued."""
        return development.validation(known.runs, source, clock().date())

    @api.get("/api/backtest", responses=_NOTHING)
    async def backtest() -> None:
        """What buying by the forecasts would have cost."""
        development.backtest(known.runs)

    @api.get("/api/monitoring")
    async def monitoring() -> MonitoringAnswer:
        """Open conditions, drifts, retrains with their causes, ages of tables."""
        return development.monitoring(known.runs)

    @api.get("/api/shadow")
    async def shadow() -> list[ShadowAnswer]:
        """Challengers that run beside the champions."""
        return development.shadows(known.runs)


def _add_pages(api: FastAPI, known: Known, clock: Clock, lake: Lake) -> None:
    # A suffix tells Jinja nothing here: everything is escaped, because everything may come from a warehouse.
    loader = PackageLoader("dashboard")
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )

    def shown(name: str, content: object) -> HTMLResponse:
        text = templates.get_template(name).render(page=content, percent=percent)
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})

    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front() -> HTMLResponse:
        return shown("front.html", page.compose(known, clock()))

    @api.get("/quality", response_class=HTMLResponse, include_in_schema=False)
    async def data_quality(verdict: Verdict | None = None) -> HTMLResponse:
        try:
            answer = await _quality(known, lake)
        except IncompleteError as error:
            return shown("quality.html", quality.nothing(error.line()))
        return shown("quality.html", await asyncio.to_thread(quality.compose, answer, verdict))


async def _quality(known: Known, lake: Lake) -> QualityAnswer:
    # The runs are read here, on the loop that changes them; only the lake is read beside it.
    return await asyncio.to_thread(in_full, lake, view.quality(known.runs))


@cache
def _event_schema() -> dict[str, Any]:
    from cbi_common.runtime.schemas import asyncapi

    return asyncapi()
