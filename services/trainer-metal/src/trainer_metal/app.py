"""Wiring of the accelerator's trainer."""

from __future__ import annotations

from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned, TrainJobMetal
from cbi_common.runtime.service import Kit, Service
from trainer_metal.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("trainer-metal", kit, description="Trains neural nets, one job at a time")
    service.keeps(f"latest.{service.name}")
    handlers = Handlers(kit)
    service.on(DataExported, handlers.plan, publishes=(TrainingPlanned, TrainJobMetal))
    service.on(TrainJobMetal, handlers.train, publishes=(ModelTrained, ModelFailed, AlertRaised), parallel=1)
    service.on(ForecastReady, handlers.track, publishes=(AlertRaised,))
    return service
