"""Models: what was trained, what each is worth, what serves with which weight, and what the gates say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from markupsafe import Markup

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.promotion import (
    GateReport,
    GateResult,
    GatesJudged,
    ModelPromoted,
    ModelShadowed,
    PromotionRejected,
)
from cbi_common.reporting.ensemble_tables import band_table, combination_table
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.report import Report, build_report, gates
from cbi_common.reporting.tables import Table, number, percent, ranking, volatility_ranking
from dashboard.domain import view
from dashboard.domain.charts import bars
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, grid, of_table

_LEDGER = 15
_REASON = 120
_HEARD = 0.0005


class Weight(NamedTuple):
    """A member and its share of the vote."""

    model: str
    text: Traced
    bar: Markup


class Blend(NamedTuple):
    """What makes up the forecast of a horizon."""

    name: str
    combiner: str
    weights: tuple[Weight, ...]
    silent: int
    """Members without a weight."""


class Gates(NamedTuple):
    """What one policy says of the candidate of a horizon."""

    name: str
    candidate: str
    policy: str
    verdict: str
    passed: str
    grid: Grid


@dataclass(frozen=True)
class ModelsPage:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    leaderboard: Grid | None
    blends: tuple[Blend, ...]
    gates: tuple[Gates, ...]
    champions: Grid | None
    ledger: Grid | None
    tables: tuple[Grid, ...]


def compose(known: Known, now: datetime) -> ModelsPage:
    """Return the page as it reads at ``now``."""
    ledger = _ledger(known.runs)
    champions = _champions(known.runs)
    try:
        run = view.forecast_run(known.runs)
    except IncompleteError as error:
        return ModelsPage(chrome("models", "Models", known, None), error.line(), None, (), (), champions, ledger, ())
    assert run.forecast is not None
    origin = view.origin_of(known.runs, run, run.forecast, now.date())
    report, source = build_report(run), source_of(run, run.forecast)
    return ModelsPage(
        chrome=chrome("models", "Models", known, origin),
        empty="",
        leaderboard=_shown(ranking(report), "Skill against no-change, best mean first", _plan(run)),
        blends=tuple(_blend(report, horizon, source) for horizon in report.ensemble),
        gates=tuple(_gates(run)),
        champions=champions,
        ledger=ledger,
        tables=(
            _shown(combination_table(report), "Ways to combine the members, as each would have scored", source),
            _shown(band_table(report), "The 90 % bands since 2010, beside no-change with a GARCH band", source),
            *_volatility(report, _plan(run)),
        ),
    )


def _shown(table: Table, caption: str, source: str) -> Grid:
    return of_table(table._replace(title=caption), source)


def _plan(run: Run) -> str:
    return f"/runs/{run.correlation_id}#models"


def _volatility(report: Report, source: str) -> tuple[Grid, ...]:
    table = volatility_ranking(report)
    return (_shown(table, "Models of volatility, beside EWMA 0.97", source),) if table.rows else ()


def _blend(report: Report, horizon: Horizon, source: str) -> Blend:
    ensemble = report.ensemble[horizon]
    heard = sorted(((w, m) for m, w in ensemble.members.items() if w >= _HEARD), key=lambda item: (-item[0], item[1]))
    weights = tuple(Weight(m.replace("_", " "), Traced(percent(w), source), bars.share(w)) for w, m in heard)
    combiner = ensemble.combiner.replace("_", " ")
    return Blend(horizon.words, combiner, weights, len(ensemble.members) - len(heard))


def _gates(run: Run) -> list[Gates]:
    event = run.promotion
    source = source_of(run, event) if event is not None else ""
    return [
        Gates(
            horizon.words, report.candidate, policy, said.verdict,
            f"{sum(gate.passed for gate in said.gates)} of {len(said.gates)} passed",
            _gate_grid(report, policy, source),
        )
        for horizon, report in gates(run).items()
        for policy, said in sorted(report.policies.items())
    ]  # fmt: skip


def _gate_grid(report: GateReport, policy: str, source: str) -> Grid:
    def row(gate: GateResult) -> tuple[str | Traced, ...]:
        told = "passed" if gate.passed else "failed"
        name = gate.id.replace("_", " ")
        return name, told, Traced(number(gate.value, 3), source), number(gate.threshold, 3), gate.detail

    names = ("<Gate", "<verdict", "value", "threshold", "<detail")
    return grid(f"Policy {policy}", names, map(row, report.policies[policy].gates))


def _champions(runs: Runs) -> Grid | None:
    latest: dict[tuple[str, Horizon], Envelope[ModelPromoted]] = {}
    for event in runs.of(ModelPromoted):
        latest[event.data.market, event.data.horizon] = event
    shadows: dict[tuple[str, Horizon], Envelope[ModelShadowed]] = {}
    for shadow in runs.of(ModelShadowed):
        shadows[shadow.data.market, shadow.data.horizon] = shadow
    if not latest and not shadows:
        return None
    rows = []
    for market, horizon in sorted({*latest, *shadows}, key=lambda key: (key[0], list(Horizon).index(key[1]))):
        champion, challenger = latest.get((market, horizon)), shadows.get((market, horizon))
        rows.append((
            f"{market.upper()} {horizon.words}",
            _traced(champion, champion.data.model_id if champion else "none yet"),
            f"{champion.time:%Y-%m-%d}" if champion else "–",
            _traced(challenger, challenger.data.challenger if challenger else "none"),
            number(challenger.data.e_value if challenger else None, 1), challenger.data.verdict if challenger else "–",
            _card(champion),
        ))  # fmt: skip
    names = ("<Horizon", "<champion", "<since", "<challenger in shadow", "e-value", "<verdict", "<")
    return grid("Who serves, and who runs beside it", names, rows, "e-value: in how many times a bet that the "
                "challenger is better would have grown; 20 convinces.")  # fmt: skip


def _card(champion: Envelope[ModelPromoted] | None) -> str | Traced:
    if champion is None or not champion.data.version:
        return ""
    return Traced("model card", f"/models/card/{champion.data.version}")


def _traced(event: Envelope[Any] | None, text: str) -> str | Traced:
    return text if event is None else Traced(text, f"/runs/{event.correlationid}#e-{event.id}")


def _ledger(runs: Runs) -> Grid | None:
    kinds = (ModelPromoted, ModelShadowed, PromotionRejected, GatesJudged)
    found: list[Envelope[Any]] = [event for kind in kinds for event in runs.of(kind)]
    newest = sorted(found, key=lambda event: (event.time, event.id), reverse=True)[:_LEDGER]
    rows = [
        (
            f"{event.time:%Y-%m-%d %H:%M}",
            _traced(event, event.type.split(".")[1]),
            _what(event.data),
            _why(event.data),
        )
        for event in newest
    ]
    names = ("<Time (UTC)", "<decision", "<of", "<because")
    return grid("The newest decisions, kept for ever", names, rows) if rows else None


def _what(data: ModelPromoted | ModelShadowed | PromotionRejected | GatesJudged) -> str:
    if isinstance(data, ModelPromoted):
        return f"{data.model_id} at {data.horizon}, in place of {data.previous or 'none'}"
    if isinstance(data, ModelShadowed):
        return f"{data.challenger} at {data.horizon}, beside {data.champion or 'none'}"
    return f"run {data.run_id[:12]}"


def _why(data: ModelPromoted | ModelShadowed | PromotionRejected | GatesJudged) -> str:
    if isinstance(data, ModelPromoted):
        return "put back" if data.rollback else f"passed policy {data.policy}"
    if isinstance(data, ModelShadowed):
        return data.detail or data.verdict
    if isinstance(data, PromotionRejected):
        return data.reason if len(data.reason) <= _REASON else f"{data.reason[:_REASON]}…"
    return f"passes policy {data.policy}: {', '.join(map(str, data.passed)) or 'none'}"
