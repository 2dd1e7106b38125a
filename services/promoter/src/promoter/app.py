"""Wiring of the promoter service."""

from __future__ import annotations

from cbi_common.events.forecast import ForecastReady
from cbi_common.events.promotion import PromotionRejected
from cbi_common.runtime.service import Kit, Service
from promoter.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("promoter", kit, description="Puts every forecast to the promotion gates")
    service.on(ForecastReady, Handlers(kit).evaluate, publishes=(PromotionRejected,))
    return service
