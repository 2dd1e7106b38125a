"""Wiring of the monitor service."""

from __future__ import annotations

from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, DriftDetected, ValidationCompleted
from cbi_common.runtime.service import Kit, Service
from monitor.handlers import Handlers
from monitor.watch_handlers import WatchHandlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service(
        "monitor", kit, description="Scores matured forecasts, notices what has changed, asks for retrains"
    )
    service.on(ForecastReady, Handlers(kit).validate, publishes=(ValidationCompleted,))
    watch = WatchHandlers(kit)
    service.on(DataExported, watch.watch, publishes=(DriftDetected, AlertRaised))
    service.on(DataRejected, watch.refused, publishes=(AlertRaised,))
    service.on(ForecastReady, watch.detect, publishes=(DriftDetected, AlertRaised))
    service.on(DriftDetected, watch.retrain, publishes=(DataRequested, AlertRaised))
    return service
