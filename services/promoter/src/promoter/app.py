"""Wiring of the promoter service."""

from __future__ import annotations

from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.promotion import GatesJudged, GatesRequested, ModelShadowed, PromotionRejected
from cbi_common.runtime.service import Kit, Service
from promoter.handlers import Handlers
from promoter.shadow_handlers import ShadowHandlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("promoter", kit, description="Puts every explained forecast to the promotion gates")
    service.keeps("shadow")  # the champion is a person's to set: `cbi promote`
    handlers = Handlers(kit)
    service.on(ExplanationReady, handlers.evaluate, publishes=(GatesJudged, PromotionRejected))
    service.on(GatesRequested, handlers.evaluate_again, publishes=(GatesJudged, PromotionRejected))
    service.on(GatesJudged, ShadowHandlers(kit).follow, publishes=(ModelShadowed, AlertRaised))
    return service
