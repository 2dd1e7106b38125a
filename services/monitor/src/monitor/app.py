"""Wiring of the monitor service."""

from __future__ import annotations

from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import ValidationCompleted
from cbi_common.runtime.service import Kit, Service
from monitor.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("monitor", kit, description="Scores matured forecasts, as served and as issued")
    service.on(ForecastReady, Handlers(kit).validate, publishes=(ValidationCompleted,))
    return service
