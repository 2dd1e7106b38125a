"""What the buyer enters: what is needed, what was bought, and what came of the advice."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from cbi_common.core.errors import UsageError
from cbi_common.core.refusal import refusal
from cbi_common.events.base import EventData
from cbi_common.events.decision import CoverRecorded, CoverWithdrawn, NeedStated
from dashboard.adapters.actions import Actions
from dashboard.domain import view
from dashboard.domain.advised import Deal, answered
from dashboard.domain.terms import Terms
from dashboard.handlers.posted import checked, figure, who, whole
from dashboard.handlers.site import Site


def add(api: FastAPI, site: Site, actions: Actions) -> None:
    """Add the routes of the buyer's actions."""
    _add_log(api, site, actions)
    _add_answer(api, site, actions)


def _add_log(api: FastAPI, site: Site, actions: Actions) -> None:
    async def decide(request: Request, form: dict[str, str], kind: type[EventData], **fields: Any) -> RedirectResponse:
        market, simulated = _shown(site)
        try:
            data = kind.model_validate({"market": market, "simulated": simulated, "by": who(request), **fields})
        except ValidationError as error:
            raise refusal(error, "form") from error
        await actions.decide(data, whole(form, "seen"))
        return _back("cover")

    @api.post("/actions/cover/need", include_in_schema=False)
    async def need(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        fields = {"since": form.get("since"), "quantity": figure(form, "quantity")}
        return await decide(request, form, NeedStated, **fields)

    @api.post("/actions/cover/add", include_in_schema=False)
    async def bought(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        figures = {name: figure(form, name) for name in ("quantity", "price", "basis")}
        purchase = {"month": form.get("month"), "bought": form.get("bought"), **figures}
        return await decide(request, form, CoverRecorded, purchases=[purchase])

    @api.post("/actions/cover/withdraw", include_in_schema=False)
    async def withdraw(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        market, simulated = _shown(site)
        known = {event.id for event in site.known.decisions.records(market, simulated=simulated)}
        if form.get("record") not in known:
            raise UsageError("it is not in the log, or was withdrawn already", where="record")
        return await decide(request, form, CoverWithdrawn, record=form["record"], reason=form.get("reason", ""))


def _add_answer(api: FastAPI, site: Site, actions: Actions) -> None:
    @api.post("/actions/advice", include_in_schema=False)
    async def answer(request: Request) -> RedirectResponse:
        form = await checked(request, site)
        try:
            terms = Terms.model_validate({name: form.get(name, "") for name in ("horizon", "cover")})
            found = await site.advice(terms)
            if (form.get("run_id"), form.get("advised")) != (found.origin.run_id, f"{found.quantity:.0f}"):
                raise UsageError("the advice has changed meanwhile", where="form", hint="load the page again")
            deal = Deal(figure(form, "price"), figure(form, "basis"), site.today)
            other = figure(form, "quantity") if form.get("answer") == "override" else None
            reason = "" if other is None else form.get("reason", "")
            record = answered(found, deal, who(request), other, reason)
        except ValidationError as error:
            raise refusal(error, "form") from error
        await actions.decide(record, whole(form, "seen"))
        return _back("buy")


def _shown(site: Site) -> tuple[str, bool]:
    run = view.forecast_run(site.known.runs)
    assert run.forecast is not None
    return run.forecast.data.market, run.forecast.data.simulated


def _back(anchor: str) -> RedirectResponse:
    return RedirectResponse(f"/decisions#{anchor}", status_code=303)
