"""Gates, champion, challenger."""

from __future__ import annotations

from boards.spec import Board, Row, one

_GATES = Row(
    "Gates of the newest run",
    (
        one(
            "Passed",
            "Share of the gates that the candidate of each horizon passes, by policy.",
            'avg by (market, world, horizon, policy) (cbi_gate_passed{market=~"$market"})',
            "{{market}} {{world}} {{horizon}} {{policy}}",
            kind="bars",
            unit="percentunit",
            width=12,
            runbook="Nothing is ever promoted",
        ),
        one(
            "Gate by gate",
            "1: passed. `cbi gates` says by how much.",
            'min by (market, world, horizon, policy, gate) (cbi_gate_passed{market=~"$market"})',
            "",
            kind="table",
            width=12,
            runbook="Nothing is ever promoted",
        ),
    ),
)
_SERVES = Row(
    "Who serves",
    (
        one(
            "Champion",
            "Model and version by horizon; `none`: nothing was promoted yet.",
            'max by (market, world, horizon, model, version) (cbi_champion_info{market=~"$market"})',
            "",
            kind="table",
            width=12,
            runbook="ChampionRolledBack",
        ),
        one(
            "Decisions",
            "In the ledger, since ever; every run with a failing gate is a rejection.",
            'max by (market, world, outcome) (cbi_promotions_total{market=~"$market"})',
            "{{market}} {{world}} {{outcome}}",
            width=12,
            runbook="ChampionRolledBack",
        ),
    ),
)
_SHADOW = Row(
    "Challenger in the shadow",
    (
        one(
            "Evidence",
            "E-value that the challenger is closer: 20 promotes. 0 without a name: no challenger.",
            'cbi_shadow_e_value{market=~"$market"} or on () vector(0)',
            "{{market}} {{world}} {{horizon}}",
            warn=5,
            bad=20,
            runbook="ChallengerDecided",
        ),
        one(
            "Matured pairs",
            "Forecasts of both that have matured.",
            'cbi_shadow_forecasts{market=~"$market"} or on () vector(0)',
            "{{market}} {{world}} {{horizon}}",
            runbook="ChallengerDecided",
        ),
        one(
            "Decided",
            "1 for what the comparison says.",
            'cbi_shadow_decided{market=~"$market"} or on () vector(0)',
            "{{market}} {{world}} {{horizon}} {{verdict}}",
            runbook="ChallengerDecided",
        ),
    ),
)
BOARD = Board("cbi-promotion", "CBI Promotion", "What it takes to serve, and who does.", (_GATES, _SERVES, _SHADOW))
