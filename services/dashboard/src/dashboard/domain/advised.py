"""What to buy now: the uncovered need, the policy, and the forecast where it has shown an edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract
from cbi_common.events.decision import Answer, CoverRecorded
from cbi_common.events.forecast import Signal
from cbi_common.markets.units import dollars
from cbi_common.procurement.advice import Advice, advise
from cbi_common.procurement.book import Book
from cbi_common.procurement.month import month_of
from cbi_common.procurement.purchase import Purchase
from cbi_common.procurement.shares import Action
from cbi_common.reporting.projection import Runs
from dashboard.domain import view
from dashboard.domain.answers import Origin, Prediction
from dashboard.domain.edge import has_edge
from dashboard.domain.months import Months
from dashboard.domain.terms import Terms


class AdvisedMonth(Contract):
    """One month, in pounds."""

    month: str
    need: float
    bought: float
    uncovered: float
    share: float
    """Of the need that is to be covered now."""
    order: float


class AdviceAnswer(Contract):
    """What to buy now, and by what forecast."""

    origin: Origin
    horizon: Horizon
    signal: Signal
    edge: bool
    """Whether forecasts of this length have been better than no-change; if not, their direction decides nothing."""
    action: Action
    lot: float | None
    """Pounds of a contract."""
    quantity: float
    """Pounds to buy now."""
    lots: float | None
    uncovered: float
    """Pounds that the months within the cover limit lack."""
    price: float
    """Of today."""
    target_price: float
    """What the forecast expects."""
    by: date
    worst_price: float
    """Upper end of the 90 % band."""
    cost: float | None
    """Dollars that the order costs at the price of today, without basis."""
    at_risk: float | None
    """Dollars that what is uncovered costs more at the worst price."""
    months: tuple[AdvisedMonth, ...]

    @property
    def orders(self) -> dict[str, float]:
        """Month to pounds to buy now."""
        return {month.month: month.order for month in self.months if month.order > 0}


def advice(runs: Runs, book: Book, months: Months, terms: Terms, today: date) -> AdviceAnswer:
    """Return what to buy.

    Raises
    ------
    IncompleteError
        When nobody has said what a month needs, or the run has no forecast at the horizon.
    """
    shown = view.forecast(runs, terms.horizon, today)
    p = shown.prediction
    edge = has_edge(p)
    action: Action = p.signal if edge else "MONITOR"
    found = advise(book, month_of(shown.origin.as_of), action, terms.cover, months.lot or 1.0)
    return _told(shown.origin, p, found, months.lot, edge=edge)


def spread(found: AdviceAnswer, quantity: float) -> dict[str, float]:
    """Return a quantity by month, the nearest first, no month more than it lacks.

    Raises
    ------
    UsageError
        When the months lack less than that.
    """
    if quantity > found.uncovered:
        what = f"{quantity:,.0f} lb are more than the {found.uncovered:,.0f} lb that the months lack"
        raise UsageError(what, where="quantity", hint="record what is bought beyond that as a purchase of its month")
    left, orders = quantity, dict[str, float]()
    for month in found.months:
        taken = min(left, month.uncovered)
        if taken > 0:
            orders[month.month] = taken
        left -= taken
    return orders


@dataclass(frozen=True)
class Deal:
    """How an order was filled, prices in the market's unit."""

    price: float
    basis: float
    day: date


def answered(
    found: AdviceAnswer, deal: Deal, by: str, quantity: float | None = None, reason: str = ""
) -> CoverRecorded:
    """Return the record of what was done with advice.

    Parameters
    ----------
    found : AdviceAnswer
    deal : Deal
    by : str
        Who answers.
    quantity : float, optional
        Pounds that were bought instead; None: what was advised.
    reason : str
        Why, where the advice was not followed.

    Raises
    ------
    UsageError
        When nothing is advised and nothing else is bought, or an override has no reason or is too large.
    """
    if quantity is None and not found.orders:
        raise UsageError("there is nothing to accept: no purchase is advised", where="advice")
    if quantity is not None and not reason.strip():
        raise UsageError("say why the advice is not followed", where="reason")
    orders = found.orders if quantity is None else spread(found, quantity)
    return CoverRecorded(
        market=found.origin.market,
        simulated=bool(found.origin.simulated),
        by=by,
        purchases=tuple(
            Purchase(month=month, quantity=pounds, price=deal.price, basis=deal.basis, bought=deal.day)
            for month, pounds in orders.items()
        ),
        answer=Answer(
            run_id=found.origin.run_id,
            horizon=found.horizon,
            action=found.action,
            advised=found.orders,
            answer="accept" if quantity is None else "override",
            reason=reason,
        ),
    )


def _told(origin: Origin, p: Prediction, found: Advice, lot: float | None, *, edge: bool) -> AdviceAnswer:
    worth = dollars(origin.unit)
    return AdviceAnswer(
        origin=origin,
        horizon=p.horizon,
        signal=p.signal,
        edge=edge,
        action=found.action,
        lot=lot,
        quantity=found.quantity,
        lots=None if lot is None else found.quantity / lot,
        uncovered=found.uncovered,
        price=p.current,
        target_price=p.point,
        by=p.target_date,
        worst_price=p.upper_90,
        cost=None if worth is None else found.quantity * p.current * worth,
        at_risk=None if worth is None else found.uncovered * max(p.upper_90 - p.current, 0.0) * worth,
        months=tuple(
            AdvisedMonth(
                month=m.month, need=m.need, bought=m.bought, uncovered=m.uncovered, share=m.share, order=m.order
            )
            for m in found.months
        ),
    )
