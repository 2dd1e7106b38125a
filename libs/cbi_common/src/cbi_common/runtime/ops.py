"""What a monitoring system asks a process: metrics, is it alive, is it ready."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cbi_common.runtime.telemetry import READY, REGISTRY

Ready = Callable[[], dict[str, bool]]


def ops_app(ready: Ready) -> Starlette:
    """Return the application behind ``/metrics``, ``/health/live`` and ``/health/ready``.

    Parameters
    ----------
    ready : callable
        Returns whether each service is connected and takes messages.
    """

    async def metrics(_request: Request) -> Response:
        for service, is_ready in ready().items():
            READY.labels(service).set(is_ready)
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def readiness(_request: Request) -> Response:
        services = ready()
        whole = bool(services) and all(services.values())
        return JSONResponse({"ready": whole, "services": services}, status_code=200 if whole else 503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/health/live", live), Route("/health/ready", readiness)]
    )
