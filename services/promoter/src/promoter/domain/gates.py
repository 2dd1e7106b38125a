"""The gates: evidence and a threshold in, a reasoned outcome out. What cannot be judged fails and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cbi_common.events.promotion import GateReport, GateResult, PolicyReport
from promoter.domain.evidence import LEAST_CUTOFFS, Evidence
from promoter.domain.policy import GateSpec, Policy

Outcome = tuple[float | None, bool, str]
"""Value, passed, detail."""

Check = Callable[[Evidence, float], Outcome]

CANDIDATE = "ensemble"


def judge(evidence: Evidence, policies: tuple[Policy, ...]) -> GateReport:
    """Return the outcome of every gate of every policy; a policy passes when all of its gates do."""
    reports = {}
    for policy in policies:
        gates = tuple(_result(spec, evidence) for spec in policy.gate)
        reports[policy.id] = PolicyReport(gates=gates, verdict="pass" if all(g.passed for g in gates) else "fail")
    return GateReport(candidate=CANDIDATE, policies=reports)


def _result(spec: GateSpec, evidence: Evidence) -> GateResult:
    value, passed, detail = CHECKS[spec.check](evidence, spec.threshold if spec.threshold is not None else 0.0)
    return GateResult(id=spec.id, value=value, threshold=spec.threshold, passed=passed, detail=detail)


def _mape_against_benchmark(evidence: Evidence, _: float) -> Outcome:
    best = f"; best member: {evidence.best_member}" if evidence.best_member else ""
    own = "not scored" if evidence.metrics.mape is None else f"MAPE {evidence.metrics.mape:.2%}"
    return None, False, f"no table of benchmark predictions to compare with; candidate {own}{best}"


def _lowest_yearly_r2(evidence: Evidence, threshold: float) -> Outcome:
    if not evidence.years:
        return None, False, f"no calendar year of targets with {LEAST_CUTOFFS} cutoffs"
    worst = min(evidence.years, key=lambda y: y.r2)
    detail = (
        f"worst of {len(evidence.years)} years is {worst.year} (n {worst.n}); no-change there {worst.r2_no_change:.3f}"
    )
    return worst.r2, worst.r2 > threshold, detail


def _attribution_signs(_: Evidence, __: float) -> Outcome:
    return None, False, "attributions over past cutoffs are not stored yet, so their signs cannot be checked"


def _monotone_response(_: Evidence, __: float) -> Outcome:
    return None, False, "perturbed forecasts are not made yet"


def _leak_audit(evidence: Evidence, _: float) -> Outcome:
    purge = evidence.purge
    if purge.problems:
        return float(len(purge.problems)), False, "purge check failed: " + "; ".join(purge.problems)
    if not purge.rows:
        return None, False, "no predictions to check"
    checked = f"purge check passed on {purge.rows} rows of {purge.tables} members"
    return 0.0, False, f"{checked}; no poisoning proof is attached to this run"


def _refits(evidence: Evidence, threshold: float) -> Outcome:
    if evidence.refits is None:
        return None, False, "the candidate is no-change: nothing was fitted"
    member, count = evidence.refits
    return float(count), count >= threshold, f"least often refitted member with a weight: {member}"


def _regime_accuracy(evidence: Evidence, threshold: float) -> Outcome:
    if evidence.regime_accuracy is None:
        return None, False, "no regime label is known"
    detail = "same-day accuracy against the rule labels, which are a function of the classifier's inputs"
    return evidence.regime_accuracy, evidence.regime_accuracy > threshold, detail


def _skill(evidence: Evidence, threshold: float) -> Outcome:
    skill = evidence.metrics.skill
    if skill is None:
        return None, False, "too few matured cutoffs"
    return skill, skill > threshold, f"over {evidence.metrics.n} cutoffs"


def _significance(evidence: Evidence, threshold: float) -> Outcome:
    n, p = evidence.metrics.n_effective, evidence.metrics.dm_p
    if p is None:
        return None, False, f"only {n:.1f} effective windows: no p-value"
    return p, p < threshold, f"{n:.1f} effective windows"


def _coverage(evidence: Evidence, threshold: float) -> Outcome:
    if evidence.coverage_90 is None:
        return None, False, "no scored cutoff has a band"
    return evidence.coverage_90, evidence.coverage_90 >= threshold, "90 % band over all scored cutoffs"


def _plausible(evidence: Evidence, threshold: float) -> Outcome:
    value = evidence.r2_against_no_change
    if evidence.simulated:
        return value, False, "simulated market: the achievable skill it must be compared with is not exported yet"
    if value is None:
        return None, False, "too few matured cutoffs"
    return value, value <= threshold, "R2 against no-change; more than this suggests a leak"


CHECKS: Mapping[str, Check] = {
    "mape_against_benchmark": _mape_against_benchmark,
    "lowest_yearly_r2": _lowest_yearly_r2,
    "attribution_signs": _attribution_signs,
    "monotone_response": _monotone_response,
    "leak_audit": _leak_audit,
    "refits": _refits,
    "regime_accuracy": _regime_accuracy,
    "skill": _skill,
    "significance": _significance,
    "coverage": _coverage,
    "plausible": _plausible,
}
