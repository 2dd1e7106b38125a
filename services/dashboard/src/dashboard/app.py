"""Wiring of the dashboard."""

from __future__ import annotations

from cbi_common.runtime.journal import Journal
from cbi_common.runtime.service import Kit, Service


def build(kit: Kit) -> Service:
    """Return the service; it reads the whole event stream and publishes nothing."""
    service = Service("dashboard", kit, "The latest forecasts as JSON and as a page")
    if kit.settings.dashboard_port is not None:
        from dashboard.adapters.feed import keep_current
        from dashboard.domain.known import Known
        from dashboard.handlers import create_api

        known = Known()
        service.serve(create_api(known, kit.clock, kit.lake, keep_current(Journal(service.bus), known)))
    return service
