import asyncio

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import ContractError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady, HorizonExplanation, SignCheck
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.events.promotion import GatesRequested
from cbi_common.events.proofs import LeakageProof, leakage_key
from cbi_common.runtime.program import program_digest
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import put_table
from cbi_common.testing import story
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.timeseries.calendar import session_date
from cbi_common.training.predictions import Predictions
from promoter import jobs
from promoter.handlers import Handlers

AS_OF = 5100
CUTOFFS = np.array([*range(4200, AS_OF, 5), AS_OF])
RNG = np.random.default_rng(4)
PRICE = RNG.uniform(40, 60, len(CUTOFFS))
Y = np.where(CUTOFFS + 5 <= AS_OF, RNG.normal(0, 0.04, len(CUTOFFS)), np.nan)


def member(lake: Lake, model_id: str, refit_every: int, skill: float, *, leak: bool = False) -> LiveMember:
    predictions = Predictions(
        model_id=model_id,
        horizon=Horizon.W1,
        cutoffs=np.array([session_date(int(s)) for s in CUTOFFS], dtype="datetime64[D]"),
        sessions=CUTOFFS,
        refit_sessions=CUTOFFS // refit_every * refit_every + (refit_every if leak else 0),
        price=PRICE,
        y_hat=np.zeros(len(CUTOFFS)),
        y=Y,
    )
    return LiveMember(
        weight=0.5,
        y_hat=0.0,
        family="trees",
        learner="lightgbm",
        dataset="full",
        predictions=predictions.put(lake, f"predictions/{model_id}-{leak}"),
        artifact=None,
        metrics=story.unscored(skill=skill),
    )


def forecast(lake: Lake, *, leak: bool = False, provisional: bool = False) -> ForecastReady:
    manifest = RunManifest(
        market="zl",
        as_of=session_date(AS_OF),
        as_of_session=AS_OF,
        profile="quick",
        simulated=False,
        datasets={"panel": dataset(lake), "full": dataset(lake)},
        refits=(),
        cutoff_every=5,
        windows={Horizon.W1: ScoredWindow(burn_in_start=4200, start=4500, end=AS_OF - 5)},
        members=(),
        catalogue_sha256="0" * 64,
    )
    served = pa.table(
        {
            "horizon": ["1w"] * len(CUTOFFS),
            "session": CUTOFFS,
            "target_session": CUTOFFS + 5,
            "price": PRICE,
            "y_hat": 0.5 * np.nan_to_num(Y),
            "y": Y,
        }
    )
    members = {"lgbm": member(lake, "lgbm", 126, 0.02), "lgbm_eras": member(lake, "lgbm_eras", 21, 0.04, leak=leak)}
    reference = put_table(lake, "served/x", served)
    regime = story.detected().model_copy(update={"nowcast_accuracy": 0.97, "history": reference})
    live = LiveMembers(horizons={Horizon.W1: members}, regime=regime)
    return ForecastReady(
        market="zl",
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        simulated=False,
        provisional=provisional,
        manifest=lake.put_json("manifest/x", manifest.model_dump(mode="json")),
        forecasts={Horizon.W1: horizon_forecast()},
        served=reference,
        members=lake.put_json(f"members/{leak}", live.model_dump(mode="json")),
    )


def dataset(lake: Lake) -> LakeRef:
    sessions = np.arange(4000, AS_OF + 1)
    columns = {
        "session": sessions,
        "date": pa.array([session_date(int(s)) for s in sessions], pa.date32()),
        "price": np.linspace(40, 60, len(sessions)),
        "cl_return_5": np.sin(sessions),
    }
    return put_table(lake, "panel/x", pa.table(columns))


def explained(lake: Lake, ready: ForecastReady) -> ExplanationReady:
    said = HorizonExplanation(
        baseline=50, forecast=50, groups={}, drivers={}, residual=0.0, n_past=40,
        signs={
            "cl_return_5": SignCheck(series="cl", expected=1, found=0.8, n=40, agrees=True),
            "palm_return_5": SignCheck(series="palm", expected=1, found=-0.8, n=40, agrees=False),
            "dxy_return_21": SignCheck(series="dxy", expected=-1, found=None, n=0, agrees=None),
        },
    )  # fmt: skip
    return ExplanationReady(
        market="zl", run_id=ready.run_id, as_of=ready.as_of, explanations={Horizon.W1: said},
        forecast=lake.put_json("explanation/x.forecast", ready.model_dump(mode="json")),
    )  # fmt: skip


def horizon_forecast() -> HorizonForecast:
    return story.horizon_forecast(Horizon.W1).model_copy(
        update={
            "members": {"lgbm": 0.5, "lgbm_eras": 0.5, "no_change": 0.0},
            "metrics": story.unscored(n=120, mape=0.03, skill=0.05),
            "coverage_90": 0.9,
        }
    )


@pytest.fixture
def kit(tmp_path):
    return make_kit(tmp_path, jobs={"promoter.jobs:evaluate": jobs.evaluate})


def evaluated(kit, ready):
    event = envelope(explained(kit.lake, ready))
    return [out.data for out in asyncio.run(Handlers(kit).evaluate(event))]


def test_gates_are_evaluated_on_the_artifacts(kit):
    judged, rejected = evaluated(kit, forecast(kit.lake))
    assert judged.gates == rejected.gates
    assert judged.passed == ()
    report = judged.gates[Horizon.W1]
    assert report.candidate == "ensemble"
    plan = {g.id: g for g in report.policies["plan"].gates}
    assert plan["refits"].value == len({s // 126 for s in range(4500, AS_OF - 4, 5)})
    assert "lgbm" in plan["refits"].detail
    assert plan["regime_accuracy"].passed
    assert plan["r2"].value == pytest.approx(worst_year_r2())
    assert "best member: lgbm_eras" in plan["benchmark"].detail
    assert "purge and split checks passed" in plan["leak_audit"].detail
    assert "cbi verify leakage" in plan["leak_audit"].detail
    assert plan["shap_signs"].value == 0.5
    assert "palm_return_5" in plan["shap_signs"].detail
    assert "left no artifact" in plan["monotone"].detail
    assert plan["refits"].evidence == ("predictions/lgbm-False", "predictions/lgbm_eras-False")
    relative = {g.id: g for g in report.policies["relative"].gates}
    assert relative["plausible"].value > 0.7
    assert not relative["plausible"].passed
    assert rejected.policy == "plan"
    assert "1w fails" in rejected.reason


def worst_year_r2() -> float:
    scored = [(i, session_date(int(s) + 5).year) for i, s in enumerate(CUTOFFS) if 4500 <= s <= AS_OF - 5]
    found = []
    for year in {y for _, y in scored}:
        rows = [i for i, y in scored if y == year]
        actual, point = PRICE[rows] * np.exp(Y[rows]), PRICE[rows] * np.exp(0.5 * Y[rows])
        if len(rows) >= 12:
            found.append(1 - ((point - actual) ** 2).sum() / ((actual - actual.mean()) ** 2).sum())
    return min(found)


def test_a_leak_in_a_members_table_fails_the_audit_by_name(kit):
    judged, _ = evaluated(kit, forecast(kit.lake, leak=True))
    audit = next(g for g in judged.gates[Horizon.W1].policies["plan"].gates if g.id == "leak_audit")
    assert not audit.passed
    assert "lgbm_eras: refit after the cutoff it serves" in audit.detail


def test_same_event_again_is_no_work(kit):
    ready = forecast(kit.lake)
    assert evaluated(kit, ready) == evaluated(kit, ready)
    assert len(kit.workers.calls) == 1


def test_a_provisional_forecast_is_no_candidate(kit):
    assert evaluated(kit, forecast(kit.lake, provisional=True)) == []


def test_a_run_is_judged_again_when_a_proof_has_come(kit):
    ready = forecast(kit.lake)
    evaluated(kit, ready)
    manifest = RunManifest.model_validate(kit.lake.get_json(ready.manifest))
    key = leakage_key(
        code=program_digest(), market=market_of(kit.lake, manifest).sha256, catalogue=manifest.catalogue_sha256,
        profile="quick",
    )  # fmt: skip
    proof = LeakageProof(
        code=program_digest(), market="m", profile="quick", warehouse="w", as_of=ready.as_of, cutoffs=(1, 2, 3, 4, 5),
        leaks={}, planted={"a": "b"}, models=(),
    )  # fmt: skip
    kit.lake.put_json(key, proof.model_dump(mode="json"))
    again = GatesRequested(market="zl", run_id=ready.run_id)
    judged, _ = [out.data for out in asyncio.run(Handlers(kit).evaluate_again(envelope(again)))]
    audit = next(g for g in judged.gates[Horizon.W1].policies["plan"].gates if g.id == "leak_audit")
    assert audit.passed
    assert key in audit.evidence


def test_a_run_that_nobody_explained_cannot_be_judged(kit):
    with pytest.raises(ContractError, match="nobody has explained it"):
        asyncio.run(Handlers(kit).evaluate_again(envelope(GatesRequested(market="zl", run_id="0" * 16))))
