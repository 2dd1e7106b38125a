"""What the commands of the buyer do and print."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from getpass import getuser
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import click
from pydantic import ValidationError

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import IncompleteError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.core.refusal import refusal
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.decision import CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.procurement.book import Book
from cbi_common.procurement.month import month_of
from cbi_common.reporting.decisions import KINDS, Decisions
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.tables import UNKNOWN, Table, columns, number, percent
from cbi_common.runtime import console
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import nothing_yet, on_the_bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import LEDGER
from cbi_common.storage.lake import Lake
from dashboard.adapters.tables import Tables
from dashboard.domain import view
from dashboard.domain.advised import AdviceAnswer, Deal, advice, answered
from dashboard.domain.covered import CoverAnswer, CoverEntry, cover
from dashboard.domain.months import Months
from dashboard.domain.pages.buying import headline, savings
from dashboard.domain.terms import Terms

T = TypeVar("T")

_COLUMNS = ("month", "quantity", "price", "basis", "bought")
_SHORT = 8


@dataclass(frozen=True)
class Done:
    """What was done with advice: accepted, or something else bought for a reason."""

    accept: bool
    bought: float | None
    reason: str
    price: float | None
    basis: float


@dataclass(frozen=True)
class Desk:
    """The newest forecast and the buyer's decisions, read from the bus."""

    bus: Bus
    runs: Runs
    decisions: Decisions
    run: Run
    tables: Tables

    @property
    def about(self) -> dict[str, Any]:
        """Market, and whether it is the simulated one."""
        assert self.run.forecast is not None
        return {"market": self.run.forecast.data.market, "simulated": self.run.forecast.data.simulated}

    @property
    def book(self) -> Book:
        """What is needed and covered."""
        return self.decisions.book(self.about["market"], simulated=self.about["simulated"])

    @property
    def records(self) -> tuple[Envelope[CoverRecorded], ...]:
        """What was entered and not withdrawn."""
        return self.decisions.records(self.about["market"], simulated=self.about["simulated"])

    async def months(self) -> Months:
        """What the market's months cost."""
        assert self.run.forecast is not None
        return await self.tables.months(self.run.forecast.data.manifest)

    async def decide(self, kind: type[EventData], fields: dict[str, Any]) -> str:
        """Publish a decision; return its id."""
        try:
            data = kind.model_validate({**self.about, "by": getuser(), **fields})
        except ValidationError as error:
            raise refusal(error) from None
        event: Envelope[Any] = Envelope.first(data, source="cli", now=system_clock(), event_id=str(uuid4()))
        await self.bus.publish(event)
        return event.id


def advise(lake: str | None, horizon: str, months: int, done: Done | None, *, as_json: bool) -> None:
    """Show the advice, or record what was done with it."""
    terms = Terms(horizon=Horizon(horizon), cover=months)

    async def work(desk: Desk) -> tuple[AdviceAnswer, str]:
        found = advice(desk.runs, desk.book, await desk.months(), terms, _today())
        if done is None:
            return found, ""
        deal = Deal(found.price if done.price is None else done.price, done.basis, _today())
        record = answered(found, deal, getuser(), None if done.accept else done.bought, done.reason)
        fields = record.model_dump(exclude={"market", "simulated", "by"})
        return found, await desk.decide(CoverRecorded, fields)

    found, record = _at_the_desk(lake, work)
    if as_json:
        console.write_json({**found.model_dump(mode="json"), "record": record or None})
    elif record:
        click.echo(f"recorded as {record[:_SHORT]}; `cbi cover withdraw {record[:_SHORT]}` takes it back")
    else:
        console.simulated_banner(found.origin.simulated)
        console.show(_advice_table(found))


def show(lake: str | None, carry: float, *, as_json: bool) -> None:
    """Show the log."""

    async def work(desk: Desk) -> CoverAnswer:
        assert desk.run.forecast is not None
        origin = view.origin_of(desk.runs, desk.run, desk.run.forecast, _today())
        return cover(origin, desk.book, desk.records, await desk.months(), carry)

    found = _at_the_desk(lake, work)
    if as_json:
        console.write_json(found.model_dump(mode="json"))
        return
    console.simulated_banner(found.origin.simulated)
    console.show(_cover_table(found))


def need(lake: str | None, quantity: float, since: str | None) -> None:
    """Record what is needed."""

    async def work(desk: Desk) -> str:
        assert desk.run.forecast is not None
        month = since or month_of(desk.run.forecast.data.as_of)
        await desk.decide(NeedStated, {"since": month, "quantity": quantity})
        return month

    month = _at_the_desk(lake, work)
    click.echo(f"{quantity:,.0f} lb a month from {month}; `cbi advise` says what to buy")


def add(lake: str | None, purchases: Sequence[dict[str, Any]], where: str) -> None:
    """Record purchases, all or none."""
    given = [{**purchase, "bought": purchase.get("bought") or _today()} for purchase in purchases]

    async def work(desk: Desk) -> str:
        return await desk.decide(CoverRecorded, {"purchases": given})

    record = _at_the_desk(lake, work)
    click.echo(f"{where} is recorded as {record[:_SHORT]}, {len(given)} purchase{'s' if len(given) != 1 else ''}")


def read(file: Path) -> list[dict[str, Any]]:
    """Return the purchases of a CSV file.

    Raises
    ------
    UsageError
        When a column is missing, or there are no rows.
    """
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    if not rows:
        raise UsageError("it has no rows", where=str(file), hint=f"give a line with {', '.join(_COLUMNS)} first")
    lacking = [name for name in _COLUMNS if name not in rows[0]]
    if lacking:
        raise UsageError(f"no column {', '.join(lacking)}", where=str(file), hint=f"it needs {', '.join(_COLUMNS)}")
    return [{name: (row[name] or "").strip() for name in _COLUMNS} for row in rows]


def withdraw(lake: str | None, prefix: str, reason: str) -> None:
    """Take an entry back."""

    async def work(desk: Desk) -> str:
        found = [event.id for event in desk.records if event.id.startswith(prefix)]
        if len(found) != 1:
            what = "no entry has this id" if not found else f"{len(found)} entries have an id that begins so"
            raise UsageError(what, where=prefix, hint="`cbi cover list` shows them")
        await desk.decide(CoverWithdrawn, {"record": found[0], "reason": reason})
        return found[0]

    click.echo(f"{_at_the_desk(lake, work)[:_SHORT]} counts no more")


def _at_the_desk(lake: str | None, work: Callable[[Desk], Awaitable[T]]) -> T:
    if nothing_yet(lake):
        raise IncompleteError("nothing has run yet", hint="`cbi run` makes a forecast")

    async def connected(bus: Bus, settings: Settings) -> T:
        journal = Journal(bus)
        recent = await journal.events()
        runs = Runs(recent)
        decisions = Decisions([*await journal.events([kind.subject for kind in KINDS], stream=LEDGER), *recent])
        return await work(Desk(bus, runs, decisions, view.forecast_run(runs), Tables(Lake(settings.lake))))

    return on_the_bus(lake, connected)


def _advice_table(found: AdviceAnswer) -> Table:
    by = f"forecasts of {found.horizon} " + (f"say {found.signal}" if found.edge else "have no edge: cover by policy")
    risk = "" if found.at_risk is None else f"; ${found.at_risk:,.0f} at risk at the upper end of the 90 % band"
    return Table(
        title=headline(found),
        columns=columns("<month", "need (lb)", "bought", "uncovered", "to cover", "buy now"),
        rows=tuple(
            (
                m.month, number(m.need, 0), number(m.bought, 0), number(m.uncovered, 0), percent(m.share, digits=0),
                number(m.order, 0) if m.order else UNKNOWN,
            )
            for m in found.months
        ),
        note=(
            f"{by}; price {number(found.price)} {found.origin.unit} as of {found.origin.as_of}, expected "
            f"{number(found.target_price)} by {found.by}{risk}"
        ),
    )  # fmt: skip


def _cover_table(found: CoverAnswer) -> Table:
    total = next(saving for saving in found.savings if saving.of == "all")
    needs = "; ".join(f"{quantity:,.0f} lb a month from {since}" for since, quantity in found.needs.items())
    overridden = [f"{a.time:%Y-%m-%d} overridden: {a.reason}" for a in found.answers if a.answer == "override"]
    return Table(
        title=f"Cover of {found.origin.title}, prices in {found.origin.unit}",
        columns=columns("<id", "<month", "lb", "price", "basis", "<bought", "spot then", "saved", "<answer"),
        rows=tuple(_line(entry) for entry in found.entries),
        note="\n".join([f"need: {needs or 'nobody has said'}", savings(total), *overridden]),
    )


def _line(e: CoverEntry) -> tuple[str, ...]:
    return (
        e.record[:_SHORT], e.month, number(e.quantity, 0), number(e.price), number(e.basis), e.bought.isoformat(),
        number(e.spot), number(e.saved, signed=True), e.answers,
    )  # fmt: skip


def _today() -> date:
    return system_clock().date()
