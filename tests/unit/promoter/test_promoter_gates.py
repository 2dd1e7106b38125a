"""Every gate passes on good evidence; flipping one input flips exactly its gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cbi_common.events.proofs import LeakageProof
from cbi_common.events.training import Metrics
from promoter.domain.benchmark import LATE, AgainstBenchmark
from promoter.domain.evidence import Evidence, Purge, Signs, YearScore
from promoter.domain.gates import CHECKS, judge
from promoter.domain.policy import DECIDING, load_policies
from promoter.domain.response import Response

METRICS = Metrics(
    n=252, n_effective=60.0, mape=0.03, r2=0.97, mae=1.5, mase=0.9, skill=0.05, dm_p=0.01, directional_accuracy=0.55,
    pinball_50=0.75, no_change_mape=0.032, no_change_mae=1.6,
)  # fmt: skip
PROOF = LeakageProof(
    code="c" * 64, market="m" * 64, profile="quick", warehouse="tables", as_of=date(2025, 5, 16),
    cutoffs=(1, 2, 3, 4, 5), leaks={}, planted={"centred_feature": "x: row 3"}, models=("lgbm",),
)  # fmt: skip
BENCHMARK = AgainstBenchmark(n=250, mape=0.026, benchmark_mape=0.03, benchmark_p=0.01, refused={})
UP = Response("cl_return_5", "cl", 1, rises=0.01, falls=0.0)
DOWN = Response("dxy_return_21", "dxy", -1, rises=0.0, falls=0.02)
FLAT = Response("palm_return_5", "palm", 1, rises=0.0, falls=0.0)
GOOD = Evidence(
    metrics=METRICS,
    coverage_90=0.9,
    simulated=False,
    years=(YearScore(2021, 50, 0.97, 0.96), YearScore(2022, 52, 0.96, 0.95)),
    r2_against_no_change=0.08,
    purge=Purge(tables=3, rows=900, problems=()),
    split_problems=(),
    too_good=(),
    leakage=PROOF,
    benchmark=BENCHMARK,
    declared_mape=None,
    signs=Signs(agree=("cl_return_5", "palm_return_5"), disagree=(), n_past=60),
    responses=(UP, DOWN, FLAT),
    ceiling_r2=None,
    refits=("lgbm", 60),
    best_member="lgbm",
    regime_accuracy=0.98,
    sources={"refits": ("predictions/lgbm",)},
)


def gates(evidence: Evidence, policy: str) -> dict:
    return {g.id: g for g in judge(evidence, load_policies()).policies[policy].gates}


def metrics(**changes) -> Evidence:
    return replace(GOOD, metrics=METRICS.model_copy(update=changes))


def proof(**changes) -> Evidence:
    return replace(GOOD, leakage=PROOF.model_copy(update=changes))


def benchmark(**changes) -> Evidence:
    return replace(GOOD, benchmark=replace(BENCHMARK, **changes))


SIMULATED = replace(GOOD, simulated=True, r2_against_no_change=0.4, ceiling_r2=0.45)
AGAINST = Signs(agree=(), disagree=("cl_return_5", "palm_return_5"), n_past=60)


def test_policies_name_known_checks_and_the_seven_gates_of_the_plan():
    policies = {p.id: p for p in load_policies()}
    assert [g.id for g in policies["plan"].gate] == [
        "benchmark", "r2", "shap_signs", "leak_audit", "monotone", "refits", "regime_accuracy",
    ]  # fmt: skip
    assert {g.check for p in policies.values() for g in p.gate} == set(CHECKS)
    assert DECIDING in policies


@pytest.mark.parametrize("evidence", [GOOD, SIMULATED])
def test_good_evidence_passes_every_gate_of_every_policy(evidence):
    assert {p: r.verdict for p, r in judge(evidence, load_policies()).policies.items()} == {
        "plan": "pass",
        "relative": "pass",
    }


@pytest.mark.parametrize(
    ("gate", "evidence", "value"),
    [
        ("benchmark", benchmark(mape=0.0301), 0.0301 / 0.03),
        ("benchmark", benchmark(n=47), None),
        ("benchmark", replace(GOOD, benchmark=None), None),
        ("benchmark", replace(GOOD, benchmark=None, declared_mape=0.9), None),
        ("r2", replace(GOOD, years=(*GOOD.years, YearScore(2023, 20, 0.94, 0.99))), 0.94),
        ("r2", replace(GOOD, years=()), None),
        ("shap_signs", replace(GOOD, signs=AGAINST), 0.0),
        ("shap_signs", replace(GOOD, signs=Signs((), (), 60)), None),
        ("shap_signs", replace(GOOD, signs=None), None),
        ("leak_audit", replace(GOOD, purge=Purge(3, 900, ("lgbm: refit after",))), 1.0),
        ("leak_audit", replace(GOOD, purge=Purge(0, 0, ())), None),
        ("leak_audit", replace(GOOD, split_problems=("the refit of session 9 learns",)), 1.0),
        ("leak_audit", replace(GOOD, too_good=("1w: R² 0.9",)), 1.0),
        ("leak_audit", replace(GOOD, leakage=None), None),
        ("leak_audit", proof(leaks={"3": "served: y_hat"}), 1.0),
        ("leak_audit", proof(planted={"centred_feature": None}), 1.0),
        ("leak_audit", proof(planted={}), 1.0),
        ("leak_audit", proof(cutoffs=(1, 2, 3, 4)), 1.0),
        ("leak_audit", benchmark(refused={LATE: 3}), 1.0),
        ("monotone", replace(GOOD, responses=(UP, replace(DOWN, rises=0.001))), 0.5),
        ("monotone", replace(GOOD, responses=(FLAT,)), None),
        ("monotone", replace(GOOD, responses=None, unperturbed="no model"), None),
        ("refits", replace(GOOD, refits=("dense", 59)), 59.0),
        ("refits", replace(GOOD, refits=None), None),
        ("regime_accuracy", replace(GOOD, regime_accuracy=0.95), 0.95),
        ("regime_accuracy", replace(GOOD, regime_accuracy=None), None),
        ("skill", metrics(skill=0.0), 0.0),
        ("skill", metrics(skill=None), None),
        ("significance", metrics(dm_p=0.05), 0.05),
        ("significance", metrics(dm_p=None), None),
        ("coverage", replace(GOOD, coverage_90=0.84), 0.84),
        ("coverage", replace(GOOD, coverage_90=None), None),
        ("plausible", replace(GOOD, r2_against_no_change=0.21), 0.21),
        ("plausible", replace(GOOD, r2_against_no_change=None), None),
        ("plausible", replace(SIMULATED, ceiling_r2=None), 0.4),
        ("plausible", replace(SIMULATED, ceiling_r2=0.3), 0.4),
    ],
)
def test_flipping_one_input_flips_exactly_its_gate(gate, evidence, value):
    flipped = {
        (policy, found.id)
        for policy in ("plan", "relative")
        for found in gates(evidence, policy).values()
        if not found.passed
    }
    assert {name for _, name in flipped} == {gate}
    policy, _ = min(flipped)
    found = gates(evidence, policy)[gate]
    assert found.value == (None if value is None else pytest.approx(value))
    assert found.detail


def test_a_gate_names_what_it_rests_on():
    assert gates(GOOD, "plan")["refits"].evidence == ("predictions/lgbm",)


def test_a_declared_figure_is_shown_and_proves_nothing():
    told = gates(replace(GOOD, benchmark=None, declared_mape=0.9), "plan")["benchmark"]
    assert not told.passed
    assert "declared, and not compared with: 90.00%" in told.detail


def test_what_speaks_against_a_candidate_is_named():
    found = gates(replace(GOOD, years=(*GOOD.years, YearScore(2023, 20, 0.94, 0.99))), "plan")["r2"]
    assert "2023" in found.detail
    assert "0.990" in found.detail
    assert "cl_return_5, palm_return_5" in gates(replace(GOOD, signs=AGAINST), "plan")["shap_signs"].detail
    assert "refused 3 rows" in gates(benchmark(refused={LATE: 3}), "plan")["benchmark"].detail
