"""Wiring of the monitor service."""

from __future__ import annotations

from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, DriftDetected, MailRequested, ValidationCompleted
from cbi_common.events.regime import RegimeDetected
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.service import Kit, Service
from monitor.adapters.past import Past
from monitor.handlers import Handlers
from monitor.mail_handlers import MailHandlers
from monitor.observer import Observer
from monitor.watch_handlers import WatchHandlers


def build(kit: Kit) -> Service:
    """Return the service: subscriptions and publishers."""
    service = Service(
        "monitor", kit, description="Scores matured forecasts, notices what has changed, asks for retrains"
    )
    service.keeps("issued", "mail", "watched")
    service.on(ForecastReady, Handlers(kit).validate, publishes=(ValidationCompleted,))
    watch = WatchHandlers(kit)
    service.on(DataExported, watch.watch, publishes=(DriftDetected, AlertRaised))
    service.on(DataRejected, watch.refused, publishes=(AlertRaised,))
    service.on(ForecastReady, watch.detect, publishes=(DriftDetected, AlertRaised))
    service.on(DriftDetected, watch.retrain, publishes=(DataRequested, AlertRaised))
    add_mail(service)
    service.watches = True
    if kit.settings.ops_port is not None:  # or nobody would see it
        service.beside(Observer(kit, service.bus).run)
    return service


def add_mail(service: Service) -> None:
    """Subscribe what is mailed; what was old at the first start is no news."""
    mail = MailHandlers(service.kit, Past(Journal(service.bus)))
    service.reads = True
    # More than one at a time: one waits for others that go in the same mail.
    service.on(AlertRaised, mail.mail_alert, parallel=2, new_only=True)
    service.on(ForecastReady, mail.mail_signal, parallel=2, new_only=True)
    service.on(RegimeDetected, mail.mail_regime, parallel=2, new_only=True)
    service.on(MailRequested, mail.mail_daily, new_only=True)
