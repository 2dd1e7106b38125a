"""Wiring of the ingest service."""

from __future__ import annotations

from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.runtime.service import Kit, Service
from ingest.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service that turns the warehouse into datasets."""
    service = Service("ingest", kit, "Canonical panel and features as of a date, behind the data gate")
    handlers = Handlers(kit)
    service.on(DataRequested, handlers.export, publishes=(DataExported, DataRejected))
    service.on(DataExported, handlers.complete, publishes=(DataExported, DataRejected))
    return service
