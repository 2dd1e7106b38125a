"""Wiring of the ingest service."""

from __future__ import annotations

from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, ValidationCompleted
from cbi_common.events.promotion import ModelPromoted, ModelShadowed, PromotionRejected
from cbi_common.runtime.service import Kit, Service
from ingest.handlers import Handlers
from ingest.recorder import Recorder


def build(kit: Kit) -> Service:
    """Return the service that turns the warehouse into datasets, and keeps the results."""
    service = Service("ingest", kit, "Canonical panel and features as of a date, behind the data gate")
    service.keeps("export")
    handlers = Handlers(kit)
    service.on(DataRequested, handlers.export, publishes=(DataExported, DataRejected))
    service.on(DataExported, handlers.complete, publishes=(DataExported, DataRejected))
    recorder = Recorder(kit)
    service.on(ForecastReady, recorder.record_forecast)
    service.on(ExplanationReady, recorder.record_explanation)
    service.on(ValidationCompleted, recorder.record_validation)
    service.on(AlertRaised, recorder.record_alert)
    service.on(PromotionRejected, recorder.record_rejection)
    service.on(ModelPromoted, recorder.record_promotion)
    service.on(ModelShadowed, recorder.record_shadow)
    return service
