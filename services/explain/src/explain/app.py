"""Wiring of the explain service."""

from __future__ import annotations

from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import DriftDetected
from cbi_common.runtime.service import Kit, Service
from explain.handlers import Handlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service("explain", kit, description="Says why a forecast differs from no-change")
    service.on(ForecastReady, Handlers(kit).attribute, publishes=(ExplanationReady, DriftDetected))
    return service
