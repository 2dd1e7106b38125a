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
        ("benchmark_significance", benchmark(benchmark_p=0.05), 0.05),
        ("benchmark_significance", benchmark(benchmark_p=None), None),
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
    with_it = {"benchmark_significance"} if gate == "benchmark" and value is None else set()
    assert {name for _, name in flipped} == {gate} | with_it
    policy = min(policy for policy, name in flipped if name == gate)
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


MANY = Signs(agree=("a", "b"), disagree=("c", "d", "e", "f", "g", "h"), n_past=40)
WRONG = tuple(replace(DOWN, feature=name, rises=0.001) for name in "abcde")


@pytest.mark.parametrize(
    ("gate", "evidence", "detail"),
    [
        ("benchmark", GOOD, "2.60% against 3.00% on 250 common rows"),
        (
            "benchmark",
            replace(GOOD, benchmark=None),
            "no table of benchmark predictions to compare with; candidate MAPE 3.00%; best member: lgbm",
        ),
        (
            "benchmark",
            replace(metrics(mape=None), benchmark=None, best_member=None, declared_mape=0.9),
            "no table of benchmark predictions to compare with; candidate not scored"
            "; declared, and not compared with: 90.00%",
        ),
        (
            "benchmark",
            replace(benchmark(n=47, refused={"b": 1, "a": 2}), declared_mape=0.5),
            "only 47 common rows, 48 are needed; refused 2 rows: a; refused 1 rows: b"
            "; declared, and not compared with: 50.00%",
        ),
        ("benchmark_significance", GOOD, "absolute errors on 250 common rows"),
        ("benchmark_significance", benchmark(n=47), "47 common rows: no p-value"),
        ("benchmark_significance", benchmark(benchmark_p=None), "250 common rows: no p-value"),
        ("benchmark_significance", replace(GOOD, benchmark=None), "no table of benchmark predictions to compare with"),
        ("r2", GOOD, "worst of 2 years is 2022 (n 52); no-change there 0.950"),
        ("r2", replace(GOOD, years=()), "no calendar year of targets with 12 cutoffs"),
        ("shap_signs", GOOD, "2 of 2 drivers over 60 cutoffs"),
        (
            "shap_signs",
            replace(GOOD, signs=MANY),
            "2 of 8 drivers over 40 cutoffs; against their sign: c, d, e, f and 2 more",
        ),
        ("shap_signs", replace(GOOD, signs=Signs((), (), 60)), "no signed driver said anything at 60 past cutoffs"),
        ("shap_signs", replace(GOOD, signs=None), "the forecast has not been explained"),
        ("monotone", GOOD, "2 of 2 drivers that it heeds"),
        (
            "monotone",
            replace(GOOD, responses=(UP, FLAT, *WRONG[:4])),
            "1 of 5 drivers that it heeds; not monotone: a, b, c, d",
        ),
        (
            "monotone",
            replace(GOOD, responses=WRONG),
            "0 of 5 drivers that it heeds; not monotone: a, b, c, d and 1 more",
        ),
        ("monotone", replace(GOOD, responses=(FLAT, FLAT)), "the forecast heeds none of 2 signed drivers"),
        (
            "monotone",
            replace(GOOD, responses=None, unperturbed="no model"),
            "the live models could not be perturbed: no model",
        ),
        (
            "leak_audit",
            GOOD,
            "purge and split checks passed on 900 rows of 3 members"
            "; the past stood still at 5 cutoffs and 1 planted leaks were found",
        ),
        (
            "leak_audit",
            replace(GOOD, leakage=None),
            "purge and split checks passed on 900 rows of 3 members"
            "; no poisoning proof of this program and market: run `cbi verify leakage`",
        ),
        ("leak_audit", replace(GOOD, purge=Purge(0, 0, ())), "no predictions to check"),
        (
            "leak_audit",
            replace(
                benchmark(refused={LATE: 3}), purge=Purge(1, 2, ("x",)), split_problems=("y",), too_good=("z",),
                leakage=PROOF.model_copy(update={"leaks": {"3": "served: y_hat"}}),
            ),
            "purge check: x; split check: y; too good: z; poisoning proof: " + PROOF.model_copy(
                update={"leaks": {"3": "served: y_hat"}}
            ).problems[0] + "; 3 benchmark rows were made when their outcome was known",
        ),
        ("refits", GOOD, "least often refitted member with a weight: lgbm"),
        ("refits", replace(GOOD, refits=None), "the candidate is no-change: nothing was fitted"),
        (
            "regime_accuracy",
            GOOD,
            "same-day accuracy against the rule labels, which are a function of the classifier's inputs",
        ),
        ("regime_accuracy", replace(GOOD, regime_accuracy=None), "no regime label is known"),
        ("skill", GOOD, "over 252 cutoffs"),
        ("skill", metrics(skill=None), "too few matured cutoffs"),
        ("significance", GOOD, "60.0 effective windows"),
        ("significance", metrics(dm_p=None, n_effective=5.92), "only 5.9 effective windows: no p-value"),
        ("coverage", GOOD, "90 % band over all scored cutoffs"),
        ("coverage", replace(GOOD, coverage_90=None), "no scored cutoff has a band"),
        ("plausible", GOOD, "R2 against no-change; more than this suggests a leak"),
        ("plausible", SIMULATED, "R2 against no-change; whoever knows this market reaches 0.450"),
        (
            "plausible",
            replace(SIMULATED, ceiling_r2=None),
            "simulated market: what can be known of it is not attached, run `cbi verify ceiling`",
        ),
        ("plausible", replace(GOOD, r2_against_no_change=None), "too few matured cutoffs"),
    ],
)  # fmt: skip
def test_every_outcome_says_why(gate, evidence, detail):
    assert next(gates(evidence, p)[gate].detail for p in ("plan", "relative") if gate in gates(evidence, p)) == detail


@pytest.mark.parametrize(
    ("policy", "gate", "evidence", "passes"),
    [
        ("plan", "benchmark", benchmark(mape=0.45, benchmark_mape=0.5), True),
        ("plan", "benchmark", benchmark(n=48), True),
        ("relative", "benchmark_significance", benchmark(n=48), True),
        ("plan", "r2", replace(GOOD, years=(YearScore(2021, 50, 0.95, 0.9),)), False),
        ("relative", "shap_signs", replace(GOOD, signs=replace(MANY, disagree=("c", "d"))), True),
        ("plan", "shap_signs", replace(GOOD, signs=replace(MANY, disagree=("c", "d"))), False),
        ("plan", "refits", replace(GOOD, refits=("lgbm", 60)), True),
        ("relative", "coverage", replace(GOOD, coverage_90=0.85), True),
        ("relative", "plausible", replace(GOOD, r2_against_no_change=0.2), True),
        ("relative", "plausible", replace(SIMULATED, r2_against_no_change=0.5, ceiling_r2=0.45), True),
        ("relative", "plausible", replace(SIMULATED, r2_against_no_change=0.51, ceiling_r2=0.45), False),
    ],
)
def test_at_the_threshold(policy, gate, evidence, passes):
    assert gates(evidence, policy)[gate].passed == passes


def test_the_report_says_who_was_judged_and_against_what():
    report = judge(GOOD, load_policies())
    assert report.candidate == "ensemble"
    assert {g.id: g.threshold for g in report.policies["plan"].gates} == {
        g.id: g.threshold for p in load_policies() if p.id == "plan" for g in p.gate
    }
    assert {g.evidence for g in report.policies["plan"].gates if g.id != "refits"} == {()}
