from dataclasses import replace

import pytest

from cbi_common.events.training import Metrics
from promoter.domain.evidence import Evidence, Purge, YearScore
from promoter.domain.gates import CHECKS, judge
from promoter.domain.policy import DECIDING, load_policies

METRICS = Metrics(
    n=252,
    n_effective=60.0,
    mape=0.03,
    r2=0.97,
    mae=1.5,
    mase=0.9,
    skill=0.05,
    dm_p=0.01,
    directional_accuracy=0.55,
    pinball_50=0.75,
    no_change_mape=0.032,
    no_change_mae=1.6,
)
GOOD = Evidence(
    metrics=METRICS,
    coverage_90=0.9,
    simulated=False,
    years=(YearScore(2021, 50, 0.97, 0.96), YearScore(2022, 52, 0.96, 0.95)),
    r2_against_no_change=0.08,
    purge=Purge(tables=3, rows=900, problems=()),
    refits=("lgbm", 60),
    best_member="lgbm",
    regime_accuracy=0.98,
)


def gates(evidence: Evidence, policy: str) -> dict:
    return {g.id: g for g in judge(evidence, load_policies()).policies[policy].gates}


def metrics(**changes) -> Evidence:
    return replace(GOOD, metrics=METRICS.model_copy(update=changes))


def test_policies_name_known_checks_and_the_seven_gates_of_the_plan():
    policies = {p.id: p for p in load_policies()}
    assert [g.id for g in policies["plan"].gate] == [
        "benchmark",
        "r2",
        "shap_signs",
        "leak_audit",
        "monotone",
        "refits",
        "regime_accuracy",
    ]
    assert {g.check for p in policies.values() for g in p.gate} == set(CHECKS)
    assert DECIDING in policies


def test_what_can_be_judged_passes_and_what_cannot_fails_with_the_reason():
    plan = gates(GOOD, "plan")
    assert {i for i, g in plan.items() if g.passed} == {"r2", "refits", "regime_accuracy"}
    for missing in ("benchmark", "shap_signs", "monotone"):
        assert plan[missing].value is None
        assert plan[missing].detail
    assert "best member: lgbm" in plan["benchmark"].detail
    assert "poisoning" in plan["leak_audit"].detail
    relative = gates(GOOD, "relative")
    assert {i for i, g in relative.items() if g.passed} == {"skill", "significance", "coverage", "plausible"}
    assert {p.verdict for p in judge(GOOD, load_policies()).policies.values()} == {"fail"}


@pytest.mark.parametrize(
    ("policy", "gate", "evidence", "value"),
    [
        ("plan", "r2", replace(GOOD, years=(*GOOD.years, YearScore(2023, 20, 0.94, 0.99))), 0.94),
        ("plan", "r2", replace(GOOD, years=()), None),
        ("plan", "leak_audit", replace(GOOD, purge=Purge(3, 900, ("lgbm: refit after",))), 1.0),
        ("plan", "leak_audit", replace(GOOD, purge=Purge(0, 0, ())), None),
        ("plan", "refits", replace(GOOD, refits=("dense", 59)), 59.0),
        ("plan", "refits", replace(GOOD, refits=None), None),
        ("plan", "regime_accuracy", replace(GOOD, regime_accuracy=0.95), 0.95),
        ("plan", "regime_accuracy", replace(GOOD, regime_accuracy=None), None),
        ("relative", "skill", metrics(skill=0.0), 0.0),
        ("relative", "skill", metrics(skill=None), None),
        ("relative", "significance", metrics(dm_p=0.05), 0.05),
        ("relative", "significance", metrics(dm_p=None), None),
        ("relative", "coverage", replace(GOOD, coverage_90=0.84), 0.84),
        ("relative", "coverage", replace(GOOD, coverage_90=None), None),
        ("relative", "plausible", replace(GOOD, r2_against_no_change=0.21), 0.21),
        ("relative", "plausible", replace(GOOD, simulated=True), 0.08),
    ],
)
def test_each_gate_can_fail(policy, gate, evidence, value):
    assert gates(GOOD, policy)[gate].passed or gate == "leak_audit"
    found = gates(evidence, policy)[gate]
    assert (found.passed, found.value) == (False, value)
    assert found.detail


def test_a_worst_year_is_named():
    found = gates(replace(GOOD, years=(*GOOD.years, YearScore(2023, 20, 0.94, 0.99))), "plan")["r2"]
    assert "2023" in found.detail
    assert "0.990" in found.detail
