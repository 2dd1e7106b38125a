"""The pages."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import FastAPI, Path, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from cbi_common.core.errors import CbiError, DataError, IncompleteError, InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.data import Verdict
from cbi_common.markets.units import UnitName
from cbi_common.reporting.card import card_key
from dashboard.adapters.reports import in_full
from dashboard.domain import view
from dashboard.domain.money import Money
from dashboard.domain.pages import buying, card, data, decisions, models, record, regime, runs, today, why
from dashboard.domain.pages.buying import Buying
from dashboard.domain.pages.whatif import WhatIf
from dashboard.domain.terms import Terms
from dashboard.domain.track import RegimeHistory
from dashboard.handlers.form import Asked
from dashboard.handlers.site import Site

Chosen = Annotated[Horizon, Query()]
Unit = Annotated[UnitName, Query()]
Driver = Annotated[str, Query(max_length=100)]
Version = Annotated[str, Path(pattern=r"^v-[0-9a-f]{16}$")]
Percent = Annotated[float, Query(gt=-100, le=1000, allow_inf_nan=False)]


def add(api: FastAPI, site: Site) -> None:
    """Add the routes of all pages."""
    _add_forecasts(api, site)
    _add_quality(api, site)
    _add_runs(api, site)


def _add_forecasts(api: FastAPI, site: Site) -> None:
    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front(unit: Unit = "market") -> HTMLResponse:
        tracks, missing = await site.tracks(site.forecast_run())
        order = await _order(site)
        return site.page("today", today.compose(site.known, site.now, tracks, unit, missing, order))

    @api.get("/why", response_class=HTMLResponse, include_in_schema=False)
    async def reasons(
        horizon: Chosen = Horizon.M1, unit: Unit = "market", driver: Driver = "", percent: Percent = 5
    ) -> HTMLResponse:
        asked, status = await _asked(site, horizon, driver, percent)
        return site.page("why", why.compose(site.known, site.now, horizon, unit, asked), status)

    @api.get("/regime", response_class=HTMLResponse, include_in_schema=False)
    async def state(unit: Unit = "market") -> HTMLResponse:
        history, unread = await _history(site)
        tracks, missing = await site.tracks(site.forecast_run())
        told = unread or missing or "the forecast is not there yet"
        return site.page("regime", regime.compose(site.known, site.now, history, tracks, unit, told))

    @api.get("/decisions", response_class=HTMLResponse, include_in_schema=False)
    async def bought(terms: Asked, unit: Unit = "market") -> HTMLResponse:
        found, why_not, status = None, "", 200
        try:
            found = await site.backtest(terms)
        except (IncompleteError, DataError) as error:
            why_not = error.line()
        except CbiError as error:
            why_not, status = error.line(), 503
        answer = await _buying(site, terms, unit)
        shown = decisions.compose(site.known, site.now, terms, found, unit, why_not, answer)
        return site.page("decisions", shown, status)

    @api.get("/track", response_class=HTMLResponse, include_in_schema=False)
    async def track(horizon: Chosen = Horizon.M1, unit: Unit = "market") -> HTMLResponse:
        tracks, missing = await site.tracks(site.forecast_run())
        if missing:
            raise InfrastructureError(missing)
        return site.page("track", record.compose(site.known, site.now, horizon, tracks, unit))


def _add_quality(api: FastAPI, site: Site) -> None:
    @api.get("/models", response_class=HTMLResponse, include_in_schema=False)
    async def trained() -> HTMLResponse:
        return site.page("models", models.compose(site.known, site.now))

    @api.get("/models/card", response_class=HTMLResponse, include_in_schema=False)
    async def candidate() -> HTMLResponse:
        return site.page("card", card.of_newest(site.known, site.now))

    @api.get("/models/card/{version}", response_class=HTMLResponse, include_in_schema=False)
    async def promoted(version: Version) -> HTMLResponse:
        stored = await asyncio.to_thread(site.lake.get_if_intact, card_key(version))
        if stored is None:
            raise UsageError("no such card", where=f"version {version}", hint="`cbi champion` shows who serves")
        return site.page("card", card.of_version(site.known, stored.decode()))

    @api.get("/data", response_class=HTMLResponse, include_in_schema=False)
    async def tables(verdict: Verdict | None = None) -> HTMLResponse:
        try:
            # The runs are read here, on the loop that changes them; only the lake is read beside it.
            answer = await asyncio.to_thread(in_full, site.lake, view.quality(site.known.runs))
        except IncompleteError as error:
            return site.page("data", data.nothing(site.known, error.line()))
        return site.page("data", data.compose(site.known, site.now, answer, verdict))

    @api.get("/quality", include_in_schema=False)
    async def moved() -> RedirectResponse:
        return RedirectResponse("/data", status_code=308)


def _add_runs(api: FastAPI, site: Site) -> None:
    @api.get("/runs", response_class=HTMLResponse, include_in_schema=False)
    async def passes() -> HTMLResponse:
        allowed, csrf = site.actions is not None, site.access.csrf
        return site.page("runs", runs.compose(site.known, site.now, actions=allowed, csrf=csrf, market=site.market))

    @api.get("/runs/{run_id}", response_class=HTMLResponse, include_in_schema=False)
    async def one(run_id: str) -> HTMLResponse:
        return site.page("run", runs.detail(site.known, site.known.runs.find(run_id), site.now))


async def _order(site: Site) -> str:
    """Return what to buy now in a sentence, or what is missing to say it."""
    try:
        return buying.headline(await site.advice(Terms()))
    except CbiError as error:
        return f"How much to buy: {error.line()}"


async def _asked(site: Site, horizon: Horizon, driver: str, percent: float) -> tuple[WhatIf, int]:
    drivers = await site.drivers()
    if not driver:
        return WhatIf(drivers), 200
    try:
        return WhatIf(drivers, driver, percent, await site.scenario(horizon, driver, percent / 100)), 200
    except CbiError as error:
        return WhatIf(drivers, driver, percent, trouble=error.line()), 404 if isinstance(error, UsageError) else 503


async def _buying(site: Site, terms: Terms, unit: UnitName) -> Buying:
    run = site.forecast_run()
    if run is None or run.forecast is None:
        return decisions.NOTHING
    own = view.origin_of(site.known.runs, run, run.forecast, site.today).unit
    money = Money.of(own, unit)
    now, log, no_advice, no_log = None, None, "", ""
    try:
        now = buying.buy_now(await site.advice(terms), run, money, terms)
    except CbiError as error:
        no_advice = error.line()
    try:
        log = buying.log(await site.cover(terms.carry), money, site.today)
    except CbiError as error:
        no_log = error.line()
    return Buying(now, no_advice, log, no_log, site.known.version, site.access.csrf, own, site.actions is not None)


async def _history(site: Site) -> tuple[RegimeHistory | None, str]:
    try:
        run = view.newest(site.known.runs, lambda run: run.regime is not None, "regime")
    except IncompleteError:
        return None, ""
    assert run.regime is not None
    try:
        return await site.tables.regimes(run.regime.data.history), ""
    except InfrastructureError as error:
        return None, error.line()
