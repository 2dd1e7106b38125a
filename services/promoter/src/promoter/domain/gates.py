"""The gates: evidence and a threshold in, a reasoned outcome out. What cannot be judged fails and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cbi_common.events.promotion import GateReport, GateResult, PolicyReport
from promoter.domain.benchmark import LATE, LEAST_ROWS
from promoter.domain.evidence import LEAST_CUTOFFS, Evidence
from promoter.domain.policy import GateSpec, Policy

Outcome = tuple[float | None, bool, str]
"""Value, passed, detail."""

Check = Callable[[Evidence, float], Outcome]

CANDIDATE = "ensemble"

LUCK = 0.05
"""Of R2 against no-change: what a forecaster may be ahead of the one who knows the process, on a few hundred rows."""


def judge(evidence: Evidence, policies: tuple[Policy, ...]) -> GateReport:
    """Return the outcome of every gate of every policy; a policy passes when all of its gates do."""
    reports = {}
    for policy in policies:
        gates = tuple(_result(spec, evidence) for spec in policy.gate)
        reports[policy.id] = PolicyReport(gates=gates, verdict="pass" if all(g.passed for g in gates) else "fail")
    return GateReport(candidate=CANDIDATE, policies=reports)


def _result(spec: GateSpec, evidence: Evidence) -> GateResult:
    value, passed, detail = CHECKS[spec.check](evidence, spec.threshold if spec.threshold is not None else 0.0)
    return GateResult(
        id=spec.id,
        value=value,
        threshold=spec.threshold,
        passed=passed,
        detail=detail,
        evidence=evidence.sources.get(spec.check, ()),
    )


def _mape_against_benchmark(evidence: Evidence, threshold: float) -> Outcome:
    told = f"; declared, and not compared with: {evidence.declared_mape:.2%}" if evidence.declared_mape else ""
    found = evidence.benchmark
    if found is None:
        own = "not scored" if evidence.metrics.mape is None else f"MAPE {evidence.metrics.mape:.2%}"
        best = f"; best member: {evidence.best_member}" if evidence.best_member else ""
        return None, False, f"no table of benchmark predictions to compare with; candidate {own}{best}{told}"
    refused = "".join(f"; refused {count} rows: {reason}" for reason, count in sorted(found.refused.items()))
    if found.n < LEAST_ROWS:
        return None, False, f"only {found.n} common rows, {LEAST_ROWS} are needed{refused}{told}"
    ratio = found.mape / found.benchmark_mape
    said = f"{found.mape:.2%} against {found.benchmark_mape:.2%} on {found.n} common rows{refused}{told}"
    return ratio, ratio <= threshold, said


def _benchmark_significance(evidence: Evidence, threshold: float) -> Outcome:
    found = evidence.benchmark
    if found is None:
        return None, False, "no table of benchmark predictions to compare with"
    if found.n < LEAST_ROWS or found.benchmark_p is None:
        return None, False, f"{found.n} common rows: no p-value"
    return found.benchmark_p, found.benchmark_p < threshold, f"absolute errors on {found.n} common rows"


def _lowest_yearly_r2(evidence: Evidence, threshold: float) -> Outcome:
    if not evidence.years:
        return None, False, f"no calendar year of targets with {LEAST_CUTOFFS} cutoffs"
    worst = min(evidence.years, key=lambda y: y.r2)
    detail = (
        f"worst of {len(evidence.years)} years is {worst.year} (n {worst.n}); no-change there {worst.r2_no_change:.3f}"
    )
    return worst.r2, worst.r2 > threshold, detail


def _attribution_signs(evidence: Evidence, threshold: float) -> Outcome:
    signs = evidence.signs
    if signs is None:
        return None, False, "the forecast has not been explained"
    total = len(signs.agree) + len(signs.disagree)
    if not total:
        return None, False, f"no signed driver said anything at {signs.n_past} past cutoffs"
    share = len(signs.agree) / total
    against = f"; against their sign: {_some(signs.disagree)}" if signs.disagree else ""
    return share, share >= threshold, f"{len(signs.agree)} of {total} drivers over {signs.n_past} cutoffs{against}"


def _monotone_response(evidence: Evidence, threshold: float) -> Outcome:
    if evidence.responses is None:
        return None, False, f"the live models could not be perturbed: {evidence.unperturbed}"
    heeded = [response for response in evidence.responses if response.moves]
    if not heeded:
        return None, False, f"the forecast heeds none of {len(evidence.responses)} signed drivers"
    wrong = [response.feature for response in heeded if not response.monotone]
    share = 1.0 - len(wrong) / len(heeded)
    against = f"; not monotone: {_some(wrong)}" if wrong else ""
    return share, share >= threshold, f"{len(heeded) - len(wrong)} of {len(heeded)} drivers that it heeds{against}"


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _leak_audit(evidence: Evidence, _: float) -> Outcome:
    purge, proof = evidence.purge, evidence.leakage
    late = evidence.benchmark.refused.get(LATE, 0) if evidence.benchmark else 0
    problems = [
        *(f"purge check: {problem}" for problem in purge.problems),
        *(f"split check: {problem}" for problem in evidence.split_problems),
        *(f"too good: {reason}" for reason in evidence.too_good),
        *(f"poisoning proof: {problem}" for problem in (proof.problems if proof else ())),
        *([f"{late} benchmark rows were made when their outcome was known"] if late else []),
    ]
    if problems:
        return float(len(problems)), False, "; ".join(problems)
    if not purge.rows:
        return None, False, "no predictions to check"
    checked = f"purge and split checks passed on {purge.rows} rows of {purge.tables} members"
    if proof is None:
        return None, False, f"{checked}; no poisoning proof of this program and market: run `cbi verify leakage`"
    past = f"the past stood still at {len(proof.cutoffs)} cutoffs and {len(proof.planted)} planted leaks were found"
    return 0.0, True, f"{checked}; {past}"


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
    value, ceiling = evidence.r2_against_no_change, evidence.ceiling_r2
    if value is None:
        return None, False, "too few matured cutoffs"
    if not evidence.simulated:
        return value, value <= threshold, "R2 against no-change; more than this suggests a leak"
    if ceiling is None:
        return value, False, "simulated market: what can be known of it is not attached, run `cbi verify ceiling`"
    # Who knows the process is right on average; on so many rows a candidate may be a little luckier.
    limit = ceiling + LUCK
    return value, value <= limit, f"R2 against no-change; whoever knows this market reaches {ceiling:.3f}"


CHECKS: Mapping[str, Check] = {
    "mape_against_benchmark": _mape_against_benchmark,
    "benchmark_significance": _benchmark_significance,
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
