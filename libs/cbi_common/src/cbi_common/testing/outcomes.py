"""One event of every kind that is a result."""

from __future__ import annotations

from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import EventData, LakeRef
from cbi_common.events.explanation import ExplanationReady, HorizonExplanation
from cbi_common.events.forecast import ForecastReady, HorizonForecast
from cbi_common.events.monitoring import AlertRaised, Slice, ValidationCompleted
from cbi_common.events.promotion import (
    GateReport,
    GateResult,
    ModelPromoted,
    ModelShadowed,
    PolicyReport,
    PromotionRejected,
)
from cbi_common.events.training import Metrics

AS_OF = date(2025, 5, 16)
RUN = "run-1"
METRICS = Metrics(
    n=60, n_effective=20.5, mape=0.1 + 0.2, r2=0.5, mae=1e-7, mase=1.0, skill=-0.03, dm_p=None,
    directional_accuracy=0.5, pinball_50=0.7, no_change_mape=0.08, no_change_mae=2.5,
)  # fmt: skip

_REF = LakeRef(key="some/thing", sha256="0" * 64, size_bytes=1)
_POLICIES = {
    "plan": PolicyReport(
        gates=(
            GateResult(
                id="r2", value=0.93, threshold=0.95, passed=False, detail="2021: 0.93 – too low; 'quoted' \"so\""
            ),
            GateResult(id="benchmark", value=None, threshold=None, passed=False, detail="no table"),
        ),
        verdict="fail",
    )
}
_REPORT = GateReport(candidate="ensemble", policies=_POLICIES)


def outcomes() -> list[EventData]:
    """Return the events, with missing values, text that has to be quoted, and floats of many digits among them."""
    return [
        ForecastReady(
            market="zl", run_id=RUN, as_of=AS_OF, simulated=True, provisional=False, manifest=_REF, served=_REF,
            members=_REF, forecasts={Horizon.W1: _forecast(), Horizon.M12: _forecast()},
            missing={Horizon.M3: "too few cutoffs"},
        ),
        ExplanationReady(
            market="zl", run_id=RUN, as_of=AS_OF,
            explanations={
                Horizon.W1: HorizonExplanation(
                    baseline=49.0, forecast=50.1, residual=0.0,
                    groups={"energy": 1.0, "china": 0.1}, drivers={"crude_21": 1.1},
                )
            },
        ),
        ValidationCompleted(
            market="zl", run_id=RUN, as_of=AS_OF, source="walk_forward",
            horizons={Horizon.M1: (Slice(by="regime", value="bull", metrics=METRICS, coverage_90=None),)},
        ),
        AlertRaised(severity="critical", source="ingest--export", what="it broke; O'Brien", hint="mend `it`"),
        PromotionRejected(
            market="zl", run_id=RUN, as_of=AS_OF, policy="plan", gates={Horizon.W1: _REPORT}, reason="r2"
        ),
        ModelPromoted(
            market="zl", run_id=RUN, horizon=Horizon.W1, model_id="lgbm", target="local", policy="plan", report=_REPORT,
            previous=None,
        ),
        ModelShadowed(market="zl", run_id=RUN, horizon=Horizon.W1, challenger="ridge", champion="lgbm"),
    ]  # fmt: skip


def _forecast() -> HorizonForecast:
    return HorizonForecast(
        target_date=date(2025, 5, 23), target_session=1, point=49.123456789012345, lower_90=45.0, upper_90=53.0,
        quantiles={"0.05": 45.0}, current=49.0, no_change=49.0, signal="MONITOR", probability_up=0.5,
        regime=Regime.NORMAL, volatility=0.03, combiner="mean", members={"lgbm": 0.25, "no_change": 0.75},
        member_returns={"lgbm": 0.01, "no_change": 0.0}, metrics=METRICS,
        coverage_90=0.9, winkler_90=None, worst_year_coverage=None, coverage_90_last60=0.9, note="a note",
    )  # fmt: skip
