"""Wiring of the ensemble service."""

from __future__ import annotations

from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.runtime.service import Kit, Service
from ensemble.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service, handlers = Service("ensemble", kit, description="Combines the members into one forecast"), Handlers(kit)
    publishes = (ForecastReady,)
    service.keeps("run")
    service.on(DataExported, handlers.record_export, publishes=publishes)
    # Parallel, so that an export that waits for its deadline holds up no other.
    service.on(DataExported, handlers.issue_provisional, publishes=publishes, parallel=2)
    service.on(ModelTrained, handlers.record_trained, publishes=publishes)
    service.on(ModelFailed, handlers.record_failed, publishes=publishes)
    service.on(RegimeDetected, handlers.record_regime, publishes=publishes)
    return service
