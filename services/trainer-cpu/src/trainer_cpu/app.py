"""Wiring of the CPU trainer."""

from __future__ import annotations

from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned, TrainJobCpu
from cbi_common.runtime.service import Kit, Service
from trainer_cpu.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("trainer-cpu", kit, description="Trains statistical models and trees, one job per core")
    service.keeps(f"latest.{service.name}")
    handlers = Handlers(kit)
    service.on(DataExported, handlers.plan, publishes=(TrainingPlanned, TrainJobCpu))
    service.on(
        TrainJobCpu,
        handlers.train,
        publishes=(ModelTrained, ModelFailed, AlertRaised),
        parallel=kit.settings.worker_slots,
    )
    service.on(ForecastReady, handlers.track, publishes=(AlertRaised,))
    return service
