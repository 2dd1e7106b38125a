"""Wiring of the dashboard."""

from __future__ import annotations

from cbi_common.events.action import ActionTaken
from cbi_common.events.data import DataRequested
from cbi_common.events.decision import BacktestCompleted, CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.service import Kit, Service
from dashboard.backtest_handler import BacktestHandler


def build(kit: Kit) -> Service:
    """Return the service: it reads every event, tries buying by a forecast, publishes what is done on its pages."""
    service = Service("dashboard", kit, "Pages for the buyer, and their numbers as JSON and CSV")
    service.reads = True
    service.on(ForecastReady, BacktestHandler(kit).test, publishes=(BacktestCompleted,))
    service.tells(ActionTaken, CoverRecorded, CoverWithdrawn, DataRequested, NeedStated)
    if kit.settings.dashboard_port is not None:
        from dashboard.adapters.actions import Actions
        from dashboard.adapters.buyer import Buyer
        from dashboard.adapters.feed import keep_current
        from dashboard.adapters.guard import Access, Guard
        from dashboard.adapters.scenarios import Scenarios
        from dashboard.domain.known import Known
        from dashboard.handlers import create_api

        known = Known()
        access = Access.of(kit.settings)
        actions = Actions(service.bus, known, kit.clock)
        reading = keep_current(Journal(service.bus), known, kit.clock)
        api = create_api(
            known,
            kit.clock,
            kit.lake,
            reading,
            actions=actions,
            scenarios=Scenarios(kit.settings.serving_url),
            buyer=Buyer(kit.lake, kit.workers.behind),
            access=access,
            market=kit.settings.market,
        )
        service.serve(Guard(api, access))
    return service
