"""What every route is given."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cbi_common.core.clock import Clock
from cbi_common.core.errors import IncompleteError, InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.events.decision import BacktestCompleted
from cbi_common.procurement.book import Book
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import chance
from cbi_common.storage.lake import Lake
from dashboard.adapters.actions import Actions
from dashboard.adapters.buyer import Buyer
from dashboard.adapters.guard import Access
from dashboard.adapters.scenarios import Scenarios
from dashboard.adapters.tables import Tables
from dashboard.domain import view
from dashboard.domain.advised import AdviceAnswer, advice
from dashboard.domain.bought import BacktestAnswer, backtest
from dashboard.domain.covered import CoverAnswer, cover
from dashboard.domain.known import Known
from dashboard.domain.months import Months
from dashboard.domain.pages.chrome import PAGES, Chrome, chrome
from dashboard.domain.scenario import ScenarioAnswer
from dashboard.domain.terms import Terms
from dashboard.domain.track import Tracks


@dataclass(frozen=True)
class Trouble:
    """A page that says why there is no other."""

    chrome: Chrome
    message: str
    next: str = "/"


class Site:
    """What is known, where the tables lie, and how a page is made of a template.

    Parameters
    ----------
    known : Known
    clock : Clock
    lake : Lake
    actions : Actions, optional
        What a person may have done here; None: nothing.
    buyer : Buyer, optional
        Tests what buying would have cost; None: nothing does.
    scenarios : Scenarios
        Whom questions of what-if are asked of.
    access : Access
        Who may come in.
    market : str
        What a run is asked for at first.
    static : str
        Digest of the static files: a new one makes browsers fetch them again.
    """

    def __init__(
        self,
        known: Known,
        clock: Clock,
        lake: Lake,
        *,
        actions: Actions | None,
        buyer: Buyer | None,
        scenarios: Scenarios,
        access: Access,
        market: str,
        static: str,
    ) -> None:
        self.known, self.clock, self.lake = known, clock, lake
        self.actions, self.buyer, self.access, self.market = actions, buyer, access, market
        self.scenarios = scenarios
        self.tables = Tables(lake)
        # A suffix tells Jinja nothing here: everything is escaped, because everything may come from a warehouse.
        self._templates = Environment(
            loader=PackageLoader("dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters["coded"] = _coded
        self._templates.globals.update(chance=chance, pages=PAGES, static=static)

    @property
    def now(self) -> datetime:
        """Time of the request."""
        return self.clock()

    @property
    def today(self) -> date:
        """Day of the request."""
        return self.now.date()

    def stamp(self, path: str) -> Hashable:
        """Return what the answer at a path follows from beside its address."""
        about_runs = path.startswith(("/runs", "/api/runs"))
        run = path.rpartition("/")[2] if about_runs else None
        return self.today, self.known.stamp(run, about_runs=about_runs)

    def page(self, name: str, content: Any, status: int = 200) -> HTMLResponse:
        """Return a page."""
        return HTMLResponse(self._templates.get_template(f"{name}.html").render(page=content), status_code=status)

    def trouble(self, title: str, message: str, status: int) -> HTMLResponse:
        """Return a page that says what is wrong."""
        return self.page("error", Trouble(chrome("", title, self.known, None), message), status)

    async def tracks(self, run: Run | None) -> tuple[Tracks | None, str]:
        """Return the tracks of a run's forecast, or why there are none."""
        if run is None or run.forecast is None:
            return None, ""
        try:
            return await self.tables.tracks(run.forecast.data.served), ""
        except InfrastructureError as error:
            return None, error.line()

    async def backtest(self, terms: Terms) -> BacktestAnswer:
        """Return what buying by the newest forecasts would have cost.

        Raises
        ------
        IncompleteError
            When there is no forecast, or nothing here that could test it.
        CbiError
            When the run's objects do not carry a backtest.
        """
        run = view.forecast_run(self.known.runs)
        assert run.forecast is not None
        done = run.backtest
        if done is not None and _as_usual(done.data, terms):
            return backtest(self.known.runs, run, terms, done.data.model_dump(mode="json"), self.today)
        if self.buyer is None:
            raise IncompleteError("no backtest of buying yet", hint="`cbi backtest` makes one of the newest run")
        found = await self.buyer.test(run.forecast.data, terms)
        return backtest(self.known.runs, run, terms, found, self.today)

    async def advice(self, terms: Terms) -> AdviceAnswer:
        """Return what to buy now.

        Raises
        ------
        IncompleteError
            When there is no forecast, or nobody has said what is needed.
        InfrastructureError
            When the run's objects cannot be read.
        """
        run = view.forecast_run(self.known.runs)
        return advice(self.known.runs, self._book(run), await self._months(run), terms, self.today)

    async def cover(self, carry: float) -> CoverAnswer:
        """Return the buyer's log in the market of the newest forecast.

        Raises
        ------
        IncompleteError
            When there is no forecast.
        InfrastructureError
            When the run's objects cannot be read.
        """
        run = view.forecast_run(self.known.runs)
        assert run.forecast is not None
        market, simulated = run.forecast.data.market, run.forecast.data.simulated
        records = self.known.decisions.records(market, simulated=simulated)
        origin = view.origin_of(self.known.runs, run, run.forecast, self.today)
        return cover(origin, self._book(run), records, await self._months(run), carry)

    async def scenario(self, horizon: Horizon, driver: str, move: float) -> ScenarioAnswer:
        """Return what the newest forecast would be if a driver had moved.

        Raises
        ------
        CbiError
            When there is no forecast, nobody to ask, or no such driver.
        """
        run = view.forecast_run(self.known.runs)
        assert run.forecast is not None
        return await self.scenarios.ask(run.forecast.data.run_id, horizon, driver, move)

    async def drivers(self) -> tuple[str, ...]:
        """Return the series that a scenario may move, none while there is no forecast or nobody to ask."""
        run = self.forecast_run()
        return (await self._months(run)).drivers if run is not None and self.scenarios.known else ()

    def _book(self, run: Run) -> Book:
        assert run.forecast is not None
        data = run.forecast.data
        return self.known.decisions.book(data.market, simulated=data.simulated)

    async def _months(self, run: Run) -> Months:
        assert run.forecast is not None
        return await self.tables.months(run.forecast.data.manifest)

    def forecast_run(self) -> Run | None:
        """Return the run whose forecast is shown, None when there is none yet."""
        try:
            return view.forecast_run(self.known.runs)
        except IncompleteError:
            return None


def _as_usual(done: BacktestCompleted, terms: Terms) -> bool:
    asked = (terms.horizon, terms.need, terms.carry, terms.cover)
    return bool(done.strategies) and asked == (done.horizon, done.terms.need, done.terms.carry, done.terms.cover)


def _coded(text: str) -> Markup:
    """Return a message as a sentence, what stands between backticks as code."""
    parts = [escape(part) for part in (text[:1].upper() + text[1:]).split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))
