"""What the scenarios came to: a table for people, an object for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cbi_common.testing.chaos.run import Ending
from cbi_common.testing.chaos.verdict import Word

_WORDS: tuple[Word, ...] = ("same", "recovered", "FAILED")


def line(ending: Ending, options: str = "") -> str:
    """Return one scenario, and under it why it failed and how it is repeated."""
    scenario, verdict = ending.scenario, ending.verdict
    faults = " + ".join(map(str, scenario.faults))
    said = [f"{scenario.seed:>6}  {verdict.word:<9} {ending.seconds:6.1f} s  {scenario.warmth:<4} {faults}"]
    said += [f"{'':8}without: {missed}" for missed in ending.missed]
    said += [f"{'':8}{'why' if not verdict.passed else 'error'}: {why[:300]}" for why in verdict.why]
    if not verdict.passed:
        again = f"make chaos N=1 SEED={scenario.seed}" + (f" ARGS='{options}'" if options else "")
        said.append(f"{'':8}again: {again}   logs: {ending.logs}")
    return "\n".join(said)


def counts(endings: Sequence[Ending]) -> dict[str, Counter[Word]]:
    """Return for each kind of fault how often it struck and how those scenarios ended."""
    found: dict[str, Counter[Word]] = {}
    for ending in endings:
        for kind in {fault.kind for fault in ending.scenario.faults}:
            found.setdefault(kind, Counter())[ending.verdict.word] += 1
    return found


def summary(endings: Sequence[Ending]) -> str:
    """Return the counts by kind and the cost."""
    rows = [f"  {'fault':<14}" + "".join(f"{word:>11}" for word in _WORDS)]
    rows += [
        f"  {kind:<14}" + "".join(f"{n[word]:>11}" for word in _WORDS) for kind, n in sorted(counts(endings).items())
    ]
    total = Counter(ending.verdict.word for ending in endings)
    seconds = sum(ending.seconds for ending in endings) / max(len(endings), 1)
    rows.append(f"  {'scenarios':<14}" + "".join(f"{total[word]:>11}" for word in _WORDS) + f"   {seconds:.1f} s each")
    return "\n".join(rows)


def as_json(endings: Sequence[Ending]) -> dict[str, Any]:
    """Return everything."""
    return {
        "scenarios": [
            {
                **asdict(ending.scenario),
                "verdict": ending.verdict.word,
                "why": list(ending.verdict.why),
                "missed": list(ending.missed),
                "seconds": ending.seconds,
                "logs": None if ending.logs is None else str(ending.logs),
            }
            for ending in endings
        ],
        "kinds": {kind: dict(n) for kind, n in sorted(counts(endings).items())},
    }
