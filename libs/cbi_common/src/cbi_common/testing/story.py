"""The events of one run, as the services would have published them, with round numbers that are easy to check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Envelope, EventData, LakeRef
from cbi_common.events.data import DataExported, DataRejected, DataRequested, Dataset, Finding, TableQuality
from cbi_common.events.explanation import ExplanationReady, HorizonExplanation
from cbi_common.events.forecast import ForecastReady, HorizonForecast
from cbi_common.events.monitoring import AlertRaised, Slice, ValidationCompleted
from cbi_common.events.promotion import GateReport, GateResult, PolicyReport, PromotionRejected
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import Job, Metrics, ModelFailed, ModelTrained, TrainingPlanned

START = datetime(2025, 5, 19, 12, tzinfo=UTC)
AS_OF = date(2025, 5, 16)
RUN_ID = "00112233aabbccdd"
POINTS = {Horizon.W1: 49.5, Horizon.M1: 51.0, Horizon.M3: 47.0, Horizon.M6: 50.0, Horizon.M12: 52.0}


def ref(key: str) -> LakeRef:
    """Return a claim check of an object that nobody stored."""
    return LakeRef(key=key, sha256="ab" * 32, size_bytes=1)


def metrics(skill: float | None = 0.01, dm_p: float | None = 0.4) -> Metrics:
    """Return scores of a model that is one percent better than no-change."""
    return Metrics(
        n=252, n_effective=60, mape=0.033, r2=0.98, mae=1.6, mase=1.0, skill=skill, dm_p=dm_p,
        directional_accuracy=0.52, pinball_50=0.8, no_change_mape=0.034, no_change_mae=1.62,
    )  # fmt: skip


def unscored(n: int = 0, n_effective: float = 0.0, **figures: float | None) -> Metrics:
    """Return scores that say nothing but what is given."""
    nothing = dict.fromkeys(name for name in Metrics.model_fields if name not in ("n", "n_effective"))
    return Metrics.model_validate({**nothing, **figures, "n": n, "n_effective": n_effective})


class Story:
    """A run told event by event; each event takes place one second after the one before.

    Parameters
    ----------
    event_id : str
        Id of the request, and with it the correlation id of all.
    start : datetime
        Time of the request.
    simulated : bool
        Whether the data are.
    """

    def __init__(self, event_id: str = "req-1", start: datetime = START, *, simulated: bool = True) -> None:
        self._now = start
        self.simulated = simulated
        request = DataRequested(market="zl", as_of=AS_OF, profile="smoke")
        self.request = Envelope.first(request, source="cli", now=start, event_id=event_id)
        self._latest: Envelope[Any] = self.request

    def tell(self, data: EventData, discriminator: str = "", cause: Envelope[Any] | None = None) -> Envelope[Any]:
        """Return the next event."""
        self._now += timedelta(seconds=1)
        parent = cause or self._latest
        return parent.caused(data, source="story", now=self._now, discriminator=discriminator)

    def whole(self, *, failed: str | None = None) -> list[Envelope[Any]]:
        """Return every event of a run that ends well; the model ``failed`` does not."""
        return list(self._events(failed))

    def rejection(self) -> list[Envelope[Any]]:
        """Return the events of a run that the data gate stopped."""
        rejected = DataRejected(
            market="zl", as_of=AS_OF, profile="smoke", warehouse="tables", simulated=False, table="prices",
            check="text_in_numbers", message="close holds text", count=3, sample_rows=({"close": "n/a"},),
            quality={"prices": TableQuality(rows=10, verdict="rejected", findings=(_finding(),))},
        )  # fmt: skip
        return [self.request, self.tell(rejected)]

    def alert(self) -> Envelope[Any]:
        """Return a critical alert of the run."""
        return self.tell(AlertRaised(severity="critical", source="ensemble--fan_in", what="gave up after 5 attempts"))

    def _events(self, failed: str | None) -> Iterator[Envelope[Any]]:
        yield self.request
        export = self.tell(exported(simulated=self.simulated))
        self._latest = export
        yield export
        for device, model in (("cpu", "ets"), ("metal", "dense")):
            job = Job(model_id=model, horizons=tuple(Horizon), spec_sha256="cd" * 32)
            yield self.tell(TrainingPlanned(market="zl", run_id=RUN_ID, device=device, jobs=(job,)), device)
            for horizon in Horizon:
                result = model_failed(model, horizon) if model == failed else trained(model, horizon, device)
                yield self.tell(result, f"{model}-{horizon}")
        yield self.tell(detected())
        forecast = self.tell(forecast_ready(simulated=self.simulated), "final")
        self._latest = forecast
        yield forecast
        yield self.tell(explained())
        yield self.tell(validated())
        yield self.tell(rejected_promotion())


def exported(*, simulated: bool = True) -> DataExported:
    """Return a complete export."""
    return DataExported(
        market="zl", as_of=AS_OF, profile="smoke", run_id=RUN_ID, manifest=ref("manifest/1"), simulated=simulated,
        warehouse="simulated" if simulated else "tables", title="Soybean oil", unit="¢/lb",
        datasets={"full": Dataset(ref=ref("full/1"), sha256="ab" * 32, rows=1500, columns=40, start=date(2019, 1, 2),
                                  end=AS_OF, dropped_columns={"vix": "stale"})},
        quality={"prices": TableQuality(rows=1500, verdict="repaired", findings=(_finding(),))},
    )  # fmt: skip


def trained(model: str, horizon: Horizon, device: Any = "cpu") -> ModelTrained:
    """Return a result of a model."""
    return ModelTrained(
        market="zl", run_id=RUN_ID, model_id=model, family="statistical", horizon=horizon, device=device,
        dataset="full", status="trained", predictions=ref(f"predictions/{model}-{horizon}"), artifact=None,
        n_cutoffs=260, refits=60, cached_folds=0, fit_seconds=0.5, peak_mb=120.0, metrics=metrics(),
    )  # fmt: skip


def model_failed(model: str, horizon: Horizon) -> ModelFailed:
    """Return the failure of a model."""
    return ModelFailed(
        market="zl", run_id=RUN_ID, model_id=model, family="simple_nets", horizon=horizon, device="metal",
        dataset="full", error="killed after 900 CPU seconds",
    )  # fmt: skip


def detected() -> RegimeDetected:
    """Return a normal regime."""
    return RegimeDetected(
        market="zl", run_id=RUN_ID, as_of=AS_OF, state=Regime.NORMAL, previous_state=Regime.BULL,
        probabilities={Regime.CRISIS: 0.1, Regime.BULL: 0.1, Regime.BEAR: 0.1, Regime.NORMAL: 0.7},
        nowcast_accuracy=0.99, balanced_accuracy=0.9, forward_accuracy={"5": 0.8, "21": None},
        persistence_accuracy={"5": 0.82, "21": 0.66}, n=900, history=ref("regime/1"),
    )  # fmt: skip


def horizon_forecast(horizon: Horizon, current: float = 49.0) -> HorizonForecast:
    """Return the forecast of one horizon."""
    point = POINTS[horizon]
    return HorizonForecast(
        target_date=AS_OF + timedelta(days=round(horizon.sessions * 7 / 5)), target_session=6400 + horizon.sessions,
        point=point, lower_90=point - 4, upper_90=point + 5, quantiles={"0.05": point - 4, "0.95": point + 5},
        current=current, no_change=current, signal="BUY" if point > 50.9 else "WAIT" if point < 48 else "MONITOR",
        probability_up=0.61, regime=Regime.NORMAL, volatility=0.07, combiner="inverse_mse",
        members={"ets": 0.6, "dense": 0.4}, metrics=metrics(), coverage_90=0.91, winkler_90=12.5,
        worst_year_coverage=0.8, coverage_90_last60=0.88, note="",
    )  # fmt: skip


def forecast_ready(*, simulated: bool = True, without: Horizon | None = None) -> ForecastReady:
    """Return the final forecast, all horizons but one."""
    return ForecastReady(
        market="zl", run_id=RUN_ID, as_of=AS_OF, simulated=simulated, provisional=False, manifest=ref("manifest/1"),
        forecasts={h: horizon_forecast(h) for h in Horizon if h != without},
        missing={without: "no member has matured cutoffs"} if without else {},
        served=ref("served/1"), members=ref("members/1"),
    )  # fmt: skip


def explained() -> ExplanationReady:
    """Return attributions that sum to the forecast minus the baseline."""
    parts = {
        h: HorizonExplanation(
            baseline=49.0, forecast=p, residual=0.0, drivers={"palm_ret_21": p - 49.5},
            groups={"palm": p - 49.5, "expectation": 0.3, "price_history": 0.2},
        )
        for h, p in POINTS.items()
    }  # fmt: skip
    return ExplanationReady(market="zl", run_id=RUN_ID, as_of=AS_OF, explanations=parts)


def validated() -> ValidationCompleted:
    """Return scores of the served forecasts."""
    slices = (
        Slice(by="all", value="all", metrics=metrics(), coverage_90=0.91),
        Slice(by="regime", value="crisis", metrics=metrics(skill=-0.05), coverage_90=0.7),
    )
    return ValidationCompleted(
        market="zl", run_id=RUN_ID, as_of=AS_OF, source="walk_forward", horizons=dict.fromkeys(Horizon, slices)
    )


def rejected_promotion() -> PromotionRejected:
    """Return a promotion that one gate stopped."""
    gate = GateResult(id="mape_vs_benchmark", value=None, threshold=0.9, passed=False, detail="no benchmark rows")
    report = GateReport(candidate="ets", policies={"plan": PolicyReport(gates=(gate,), verdict="fail")})
    return PromotionRejected(
        market="zl", run_id=RUN_ID, as_of=AS_OF, policy="plan", gates=dict.fromkeys(Horizon, report), reason="1 failed"
    )


def _finding() -> Finding:
    return Finding(check="duplicates", count=2, detail="two rows share 2024-01-02")
