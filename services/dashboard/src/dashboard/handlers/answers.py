"""What a site, a spreadsheet or a program asks: forecasts, the market, how good they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from dashboard.domain import development, market, performance, view
from dashboard.domain.advised import AdviceAnswer
from dashboard.domain.answers import ForecastAnswer, PredictionsAnswer, RegimeAnswer
from dashboard.domain.bought import BacktestAnswer
from dashboard.domain.covered import CoverAnswer
from dashboard.domain.development import ExplanationAnswer, MonitoringAnswer
from dashboard.domain.market import MarketAnswer
from dashboard.domain.performance import PerformanceAnswer, TrackAnswer
from dashboard.domain.scenario import ScenarioAnswer
from dashboard.handlers.form import NOTHING, TABLE, UNKNOWN, Asked, Form, told
from dashboard.handlers.site import Site


def add(api: FastAPI, site: Site) -> None:
    """Add the production routes."""
    _add_forecasts(api, site)
    _add_record(api, site)
    _add_buying(api, site)


def _add_forecasts(api: FastAPI, site: Site) -> None:
    known = site.known

    @api.get("/api/predictions", responses=TABLE, response_model=PredictionsAnswer)
    async def predictions(form: Form = "json") -> object:
        """The newest final forecast, all horizons."""
        return told(view.predictions(known.runs, site.today), form, "predictions")

    @api.get("/api/forecast/{horizon}", responses=TABLE, response_model=ForecastAnswer)
    async def forecast(horizon: Horizon, form: Form = "json") -> object:
        """The newest final forecast of one horizon."""
        return told(view.forecast(known.runs, horizon, site.today), form, f"forecast-{horizon}")

    @api.get("/api/regime/current", responses=TABLE, response_model=RegimeAnswer)
    async def regime(form: Form = "json") -> object:
        """The newest state of the market, and how good calling it has been."""
        return told(view.regime(known.runs, site.today), form, "regime")

    @api.get("/api/market/intelligence", responses=TABLE, response_model=MarketAnswer)
    async def intelligence(form: Form = "json") -> object:
        """Price, state, volatility, what drives the forecasts, what has drifted, how fresh the tables are."""
        return told(market.intelligence(known.runs, site.today), form, "market")

    @api.get("/api/explain/{horizon}", responses=TABLE, response_model=ExplanationAnswer)
    async def explain(horizon: Horizon, form: Form = "json") -> object:
        """Why the forecast of a horizon differs from no-change."""
        return told(development.explanation(known.runs, horizon, site.today), form, f"explain-{horizon}")


def _add_record(api: FastAPI, site: Site) -> None:
    known = site.known

    @api.get("/api/monitoring")
    async def monitoring() -> MonitoringAnswer:
        """Open conditions, drifts, retrains with their causes, ages of tables."""
        return development.monitoring(known.runs)

    @api.get("/api/monitoring/performance", responses=TABLE, response_model=PerformanceAnswer)
    async def scores(form: Form = "json") -> object:
        """Matured forecasts against what happened, next to no-change, by regime, size of move, era and driver."""
        return told(performance.performance(known.runs, site.today), form, "performance")

    @api.get("/api/track/{horizon}", responses=TABLE, response_model=TrackAnswer)
    async def track(horizon: Horizon, form: Form = "json") -> object:
        """Every forecast of a horizon as it would have been served at past dates, and what came."""
        tracks, missing = await site.tracks(view.forecast_run(known.runs))
        if tracks is None:
            raise IncompleteError(missing)
        return told(performance.track(known.runs, horizon, tracks, site.today), form, f"track-{horizon}")


def _add_buying(api: FastAPI, site: Site) -> None:
    @api.get("/api/backtesting", responses=TABLE, response_model=BacktestAnswer)
    @api.get("/api/backtest", responses=TABLE, response_model=BacktestAnswer, deprecated=True)
    async def backtest(terms: Asked, form: Form = "json") -> object:
        """What buying by the newest forecasts would have cost under these terms, beside other ways to buy."""
        return told(await site.backtest(terms), form, "backtest")

    @api.get("/api/advice", responses=TABLE, response_model=AdviceAnswer)
    async def advice(terms: Asked, form: Form = "json") -> object:
        """What to buy now, month by month: the uncovered need and the policy; of the terms, horizon and cover count."""
        return told(await site.advice(terms), form, "advice")

    @api.get("/api/cover", responses=TABLE, response_model=CoverAnswer)
    async def cover(terms: Asked, form: Form = "json") -> object:
        """What is needed, what was bought, how advice was answered and what that saved; of the terms, carry counts."""
        return told(await site.cover(terms.carry), form, "cover")

    @api.get("/api/scenario/{horizon}", responses={**NOTHING, **UNKNOWN}, response_model=ScenarioAnswer)
    async def scenario(
        horizon: Horizon,
        driver: Annotated[str, Query(min_length=1, max_length=100, description="a series of the market file")],
        move: Annotated[float, Query(gt=-1, le=10, allow_inf_nan=False, description="a fraction; 0.05: five percent")],
    ) -> ScenarioAnswer:
        """What the newest forecast would be if a driver had moved today."""
        return await site.scenario(horizon, driver, move)
