"""Wiring of the regime service."""

from __future__ import annotations

from cbi_common.events.data import DataExported
from cbi_common.events.regime import RegimeDetected
from cbi_common.runtime.service import Kit, Service
from regime.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("regime", kit, description="Calls the market's regime at a date")
    service.on(DataExported, Handlers(kit).detect, publishes=(RegimeDetected,))
    return service
