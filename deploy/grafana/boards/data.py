"""Data of the newest export, and what is no longer what it was."""

from __future__ import annotations

from boards.spec import Board, Panel, Row, one


def _score(kind: str, title: str, why: str) -> Panel:
    return one(
        title,
        f"{why} 1 is the limit, at which it counts as drift once it has lasted; 0 without a name: too little to judge.",
        f'cbi_drift_score_ratio{{market=~"$market", kind="{kind}"}} or on () vector(0)',
        "{{market}} {{world}} {{where}}",
        warn=0.8,
        bad=1,
        runbook="DataStale" if kind == "stale" else "DriftOpen",
    )


_OPEN = Row(
    "Open now",
    (
        one(
            "Open conditions",
            "Raised and not over, by kind.",
            'sum by (market, world, kind) (cbi_open_conditions{market=~"$market"})',
            "{{market}} {{world}} {{kind}}",
            kind="bars",
            width=12,
            warn=1,
            runbook="DriftOpen",
        ),
        one(
            "Over time",
            "The same.",
            'sum by (market, world, kind) (cbi_open_conditions{market=~"$market"})',
            "{{market}} {{world}} {{kind}}",
            width=12,
            runbook="DriftOpen",
        ),
    ),
)
_SCORES = Row(
    "How near to the limit",
    (
        _score("performance", "Errors", "Error of late against the usual one, both beside no-change's, by horizon."),
        _score("feature", "Features", "The feature of each driver group that is least like its reference."),
        _score("correlation", "Links", "How much weaker a correlation is than in the long run; below 0: stronger."),
        _score("regime", "State of the market", "Volatility, move and fear against the largest ever seen."),
        _score("stale", "Age of tables", "Age of the newest row over what is usual at most."),
        one(
            "Drifts of seven days",
            "By kind.",
            'sum by (market, kind) (cbi_recent_drifts{market=~"$market"})',
            "{{market}} {{kind}}",
            kind="bars",
            runbook="RetrainsMany",
        ),
    ),
)
_TABLES = Row(
    "Tables of the newest export",
    (
        one(
            "Age",
            "Sessions from the newest usable row to as_of.",
            'cbi_table_age_sessions{market=~"$market"}',
            "{{market}} {{world}} {{table}}",
            kind="bars",
            width=12,
            runbook="DataStale",
        ),
        one(
            "Findings",
            "Rows that each check of the gate found; 0 without a name: none.",
            'sum by (world, table, check, severity) (cbi_quality_findings{market=~"$market"}) or on () vector(0)',
            "",
            kind="table",
            width=12,
            runbook="RunRejected",
        ),
        one(
            "Verdicts",
            "Tables by verdict.",
            'sum by (market, world, verdict) (cbi_table_verdict{market=~"$market"})',
            "{{market}} {{world}} {{verdict}}",
            width=12,
            runbook="RunRejected",
        ),
        one(
            "Rows",
            "A fall means that history was lost.",
            'cbi_table_rows{market=~"$market"}',
            "{{market}} {{world}} {{table}}",
            width=12,
            runbook="RunRejected",
        ),
    ),
)
BOARD = Board(
    "cbi-data", "CBI Data and drift", "Whether the world and its data are what they were.", (_OPEN, _SCORES, _TABLES)
)
