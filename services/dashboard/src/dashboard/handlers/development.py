"""What those ask who look after the models."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from dashboard.adapters.reports import in_full
from dashboard.domain import development, view
from dashboard.domain.answers import GivenUp, QualityAnswer, RunAnswer, RunDetail
from dashboard.domain.development import ShadowAnswer, Source, ValidationAnswer
from dashboard.handlers.form import NOTHING, UNKNOWN
from dashboard.handlers.site import Site


def add(api: FastAPI, site: Site) -> None:
    """Add the routes for development."""
    _add_models(api, site)
    _add_runs(api, site)


def _add_models(api: FastAPI, site: Site) -> None:
    known = site.known

    @api.get("/api/quality", responses=NOTHING)
    async def tables() -> QualityAnswer:
        """The data gate's newest verdict, table by table."""
        # The runs are read here, on the loop that changes them; only the lake is read beside it.
        return await asyncio.to_thread(in_full, site.lake, view.quality(known.runs))

    @api.get("/api/validate", responses=NOTHING)
    async def validate(source: Source = "walk_forward") -> ValidationAnswer:
        """Matured forecasts against what happened: as served at past cutoffs, or as issued."""
        return development.validation(known.runs, source, site.today)

    @api.get("/api/shadow")
    async def shadow() -> list[ShadowAnswer]:
        """Challengers that run beside the champions."""
        return development.shadows(known.runs)


def _add_runs(api: FastAPI, site: Site) -> None:
    known = site.known

    @api.get("/api/runs")
    async def all_runs() -> list[RunAnswer]:
        """Every pass, newest first."""
        return [view.summary(run) for run in reversed(known.runs.all())]

    @api.get("/api/runs/{run_id}", responses=UNKNOWN)
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


@cache
def _event_schema() -> dict[str, Any]:
    from cbi_common.runtime.schemas import asyncapi

    return asyncapi()
