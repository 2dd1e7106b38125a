"""The two forms of an answer: JSON, and rows for a spreadsheet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract
from dashboard.domain import sheet
from dashboard.domain.answers import Refusal
from dashboard.domain.known import Known
from dashboard.domain.terms import Terms

Form = Annotated[Literal["json", "csv"], Query(alias="format", description="csv: rows for a spreadsheet")]


_USUAL = Terms()


def asked(
    horizon: Horizon = _USUAL.horizon,
    need: Annotated[float, Query(ge=1, le=1e9, allow_inf_nan=False, description="lb a month")] = _USUAL.need,
    carry: Annotated[float, Query(ge=0, le=100, allow_inf_nan=False, description="per month ahead")] = _USUAL.carry,
    cover: Annotated[int, Query(ge=1, le=12, description="months ahead at most")] = _USUAL.cover,
) -> Terms:
    """Return the terms of a what-if, from the address."""
    return Terms(horizon=horizon, need=need, carry=carry, cover=cover)


Asked = Annotated[Terms, Depends(asked)]

NOTHING: dict[int | str, dict[str, Any]] = {
    503: {"model": Refusal, "description": "There is no such number yet; the detail says why"}
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Refusal, "description": "There is none of this name"}}
TABLE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "As JSON, or as rows"},
    **NOTHING,
}


def told(answer: Contract, form: str, name: str) -> Any:
    """Return the answer, or a file of its rows."""
    if form == "json":
        return answer
    said = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(sheet.write(answer), media_type="text/csv; charset=utf-8", headers=said)


class Suffix:
    """ASGI middleware: ``/api/predictions.csv`` is ``/api/predictions?format=csv``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] == "http" and scope["path"].startswith("/api/") and scope["path"].endswith(".csv"):
            path = scope["path"].removesuffix(".csv")
            query = b"&".join(filter(None, (scope["query_string"], b"format=csv")))
            scope = {**scope, "path": path, "raw_path": path.encode(), "query_string": query}
        await self._app(scope, receive, send)


class Stale:
    """ASGI middleware: while the bus does not answer, every answer of the API warns that there may be newer numbers."""

    def __init__(self, app: ASGIApp, known: Known) -> None:
        self._app, self._known = app, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and self._known.lost is not None:
                since = self._known.lost.isoformat(timespec="seconds")
                MutableHeaders(scope=message)["warning"] = f'110 cbi "no news from the bus since {since}"'
            await send(message)

        await self._app(scope, receive, told)
