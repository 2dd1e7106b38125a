"""HTTP after the contract of Vertex AI's custom containers: a health route, and a predict route for instances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import TransientError, UsageError
from cbi_common.core.horizon import Horizon
from promoter.serving.model import PackagedModel
from promoter.serving.newest import Newest
from promoter.serving.router import Router

MOST_INSTANCES = 100
MOST_BYTES = 1_000_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Instance(_Frozen):
    """One question: a horizon, and what is to be otherwise than on the day of the package."""

    horizon: Horizon
    features: dict[str, float] = Field(default={}, max_length=500)
    """Feature to the value that it is to have."""
    moves: dict[str, float] = Field(default={}, max_length=50)
    """Driver to its move today, a fraction."""


class Question(_Frozen):
    """What the predict route is asked."""

    instances: Annotated[tuple[Instance, ...], Field(min_length=1, max_length=MOST_INSTANCES)]
    parameters: dict[str, Any] | None = None


class Prediction(_Frozen):
    """A forecast, prices in ``unit``."""

    horizon: Horizon
    target_date: date
    current: float
    point: float
    lower_90: float
    upper_90: float
    log_return: float
    groups: dict[str, float]
    """Driver group to its share of ``point - current``, as it was explained on the day of the package."""
    changed: dict[str, float]
    """Driver group to what the question's changes add to ``point``."""
    version: str
    run_id: str
    as_of: date
    unit: str
    simulated: bool


class Predictions(_Frozen):
    """What the predict route answers."""

    predictions: tuple[Prediction, ...]


def create_app(router: Router | Newest, *, predict: str = "/predict", health: str = "/health") -> FastAPI:
    """Return the application.

    Parameters
    ----------
    router : Router
    predict, health : routes, as ``AIP_PREDICT_ROUTE`` and ``AIP_HEALTH_ROUTE`` name them
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(router.follow())
        yield
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    app = FastAPI(title="CBI serving", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    _refusals(app)

    @app.get(health)
    async def healthy() -> dict[str, Any]:
        if not router.ready:
            raise TransientError(router.trouble, where="serving")
        return {"ready": True, "traffic": router.traffic}

    @app.get("/features/{horizon}")
    async def features(horizon: Horizon) -> dict[str, float | None]:
        _, model = router.choose()
        return {name: value if value == value else None for name, value in model.features(horizon).items()}  # NaN

    @app.post(predict)
    async def answer(question: Question) -> Predictions:
        version, model = router.choose()
        return await asyncio.to_thread(_answer, version, model, question)

    return app


def _answer(version: str, model: PackagedModel, question: Question) -> Predictions:
    return Predictions(predictions=tuple(_one(version, model, instance) for instance in question.instances))


def _one(version: str, model: PackagedModel, instance: Instance) -> Prediction:
    changes = {**model.shocked(instance.horizon, instance.moves), **instance.features}
    stored, said, package = model.horizon(instance.horizon), model.forecast(instance.horizon, changes), model.package
    return Prediction(
        horizon=instance.horizon,
        target_date=stored.target_date,
        current=stored.current,
        point=said.point,
        lower_90=said.lower_90,
        upper_90=said.upper_90,
        log_return=said.log_return,
        groups=said.groups,
        changed=said.changed,
        version=version,
        run_id=package.run_id,
        as_of=package.as_of,
        unit=package.unit,
        simulated=package.simulated,
    )


def _refusals(app: FastAPI) -> None:
    @app.middleware("http")
    async def bounded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if (
            not length.isdigit()
            or int(length) > MOST_BYTES
            or "chunked" in request.headers.get("transfer-encoding", "")
        ):
            return JSONResponse({"detail": f"send at most {MOST_BYTES} bytes, with their length"}, status_code=413)
        return await call(request)

    @app.exception_handler(UsageError)
    async def wrong(_request: Request, error: UsageError) -> JSONResponse:
        return JSONResponse({"detail": error.line()}, status_code=400)

    @app.exception_handler(TransientError)
    async def not_yet(_request: Request, error: TransientError) -> JSONResponse:
        return JSONResponse({"detail": error.line()}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"detail": f"{place}: {first['msg']}"}, status_code=400)
