"""One export of a market: gate, panel, features and manifest into the lake, made once for each content."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import UsageError
from cbi_common.core.identity import digest
from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported, DataRejected
from cbi_common.events.manifest import Profile, Refit, RunManifest
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import put_market
from cbi_common.storage.warehouse import Warehouse
from cbi_common.timeseries.calendar import FIRST_DAY, LAST_DAY, session_number
from cbi_common.timeseries.eras import Era
from ingest.adapters.finbert import FinBert
from ingest.adapters.sources import fingerprints
from ingest.benchmark import store_benchmark
from ingest.datasets import Datasets, put_datasets, references
from ingest.domain.flaws import Flaw
from ingest.domain.gate import Refusal, Verdict
from ingest.domain.manifest import Plan, Span, plan_run
from ingest.domain.panel import Panel, build_panel
from ingest.judgement import Judgement, judge
from ingest.news import gather, identity

VERSION = 2
"""Raised when equal inputs give another export than before."""


class ExportRequest(BaseModel):
    """Argument of `export`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lake: str
    warehouse: str
    market: str
    markets: str | None = None
    """Folder of the user's own market files."""
    finbert: str | None = None
    """Folder or name of the model that scores the news."""
    as_of: date | None = None
    profile: Profile = "quick"
    retrain_cause: str | None = None
    """Id of the event that asks for a refit of every model at as_of."""
    inherited_refits: tuple[Refit, ...] = ()
    datasets: tuple[str, ...] = ()
    """Wide tables to export; none: all that the market file names."""
    scope: Literal["all", "used"] = "all"
    """Tables to audit and datasets to make: all, or those that the models of the profile need."""


def export_market(
    request: ExportRequest, market: Market, warehouse: Warehouse, lake: Lake, model: FinBert | None
) -> DataExported | DataRejected:
    """Export ``market``, or return the export of the same request on the same content that the lake holds.

    Raises
    ------
    UsageError
        For a dataset that the market file does not name.
    DataError
        When a table cannot be read.
    """
    _refuse_unknown(request.datasets, market)
    market_file = put_market(lake, market)
    content = _content(market, warehouse, model)
    key = _key(request, market, warehouse, content)
    done = _intact(lake, key)
    if done is not None:
        return done
    judgement = judge(market, warehouse, request.as_of, unread=request.scope == "all")
    verdict = judgement.verdict
    if verdict.refusal is not None:
        return rejected(request, warehouse, verdict.refusal, verdict, _put_report(lake, judgement))
    panel = build_panel(market, verdict.series)
    news = gather(lake, market, warehouse, int(panel.sessions[-1]), model)
    report = _put_report(lake, judgement, news.report)
    panel, verdict = news.joined(panel, market.sentiment), replace(verdict, lost={**verdict.lost, **news.lost})
    at_as_of = digest(*content, str(panel.dates[-1]))
    made = put_datasets(lake, market, warehouse, verdict, panel, at_as_of, _wanted(request, market))
    plan = _plan(request, market, panel, made)
    if not plan.windows:
        return rejected(request, warehouse, _too_short(market, panel, request.profile), verdict, report)
    benchmark = store_benchmark(lake, market.benchmark, warehouse, panel.dates[-1].item())
    manifest = _manifest(request, panel, plan, made, market_file, simulated=warehouse.simulated)
    manifest = manifest.model_copy(update={"benchmark": benchmark.ref})
    exported = DataExported(
        market=market.id,
        as_of=manifest.as_of,
        profile=request.profile,
        run_id=manifest.run_id,
        manifest=put_manifest(lake, manifest),
        warehouse=warehouse.label,
        simulated=warehouse.simulated,
        title=market.name,
        unit=market.unit,
        datasets=made.events,
        absent={**made.absent, **_lacking(news=news.absent, benchmark=benchmark.absent)},
        quality=verdict.quality,
        quality_report=report,
        news=news.articles,
    )
    lake.put_json(key, exported.model_dump(mode="json"))
    return exported


def rejected(
    request: ExportRequest,
    warehouse: Warehouse,
    refusal: Refusal,
    verdict: Verdict | None = None,
    report: LakeRef | None = None,
) -> DataRejected:
    """Return what is said where nothing can be exported."""
    return DataRejected(
        market=request.market,
        as_of=request.as_of,
        profile=request.profile,
        warehouse=warehouse.label,
        simulated=warehouse.simulated,
        table=refusal.table,
        check=refusal.flaw.check,
        message=f"{refusal.table}: {refusal.flaw.detail}",
        count=refusal.flaw.count,
        sample_rows=refusal.flaw.rows,
        quality={} if verdict is None else verdict.quality,
        quality_report=report,
    )


def put_manifest(lake: Lake, manifest: RunManifest) -> LakeRef:
    """Store a manifest under its run."""
    return lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))


def _content(market: Market, warehouse: Warehouse, model: FinBert | None) -> list[Any]:
    """Return what decides about panel and features: datasets and files of the market file do not."""
    canonical = market.model_dump(mode="json", exclude={"datasets", "column_rules", "exports", "benchmark"})
    return [VERSION, digest(canonical), fingerprints(warehouse, market.tables), *identity(market, warehouse, model)]


def _key(request: ExportRequest, market: Market, warehouse: Warehouse, content: list[Any]) -> str:
    asked = request.model_dump(mode="json", exclude={"lake", "warehouse", "markets", "finbert"})
    # The gate judges every table: a change of one that nobody reads makes another export, of the same datasets.
    source = [warehouse.label, warehouse.simulated, fingerprints(warehouse, warehouse.tables())]
    return f"export/{digest(content, source, market.sha256, load_catalogue().sha256, asked)}"


def _plan(request: ExportRequest, market: Market, panel: Panel, made: Datasets) -> Plan:
    return plan_run(
        load_catalogue(),
        request.profile,
        spans=made.spans,
        eras={era.name: _span(era) for era in market.eras},
        as_of_session=int(panel.sessions[-1]),
        retrain_cause=request.retrain_cause,
        inherited=request.inherited_refits,
    )


def _manifest(
    request: ExportRequest,
    panel: Panel,
    plan: Plan,
    made: Datasets,
    market_file: LakeRef,
    *,
    simulated: bool,
) -> RunManifest:
    catalogue = load_catalogue()
    # A table that no model of the run learns from is none of its business.
    used = {"panel", "full", *(catalogue.model(member.model_id).dataset for member in plan.members)}
    return RunManifest(
        market=request.market,
        as_of=panel.dates[-1].item(),
        as_of_session=int(panel.sessions[-1]),
        profile=request.profile,
        simulated=simulated,
        datasets={name: dataset.ref for name, dataset in made.events.items() if name in used},
        usable_from={name: columns for name, columns in made.usable_from.items() if name in used},
        refits=plan.refits,
        cutoff_every=catalogue.profiles[request.profile].cutoff_sessions,
        windows=plan.windows,
        members=plan.members,
        catalogue_sha256=catalogue.sha256,
        market_file=market_file,
    )


def _lacking(**reasons: str | None) -> dict[str, str]:
    return {name: reason for name, reason in reasons.items() if reason}


def _wanted(request: ExportRequest, market: Market) -> tuple[str, ...]:
    """Return the names of the wide tables to make."""
    names = request.datasets or tuple(spec.name for spec in market.datasets)
    if request.scope == "all":
        return names
    used = {model.dataset for model in load_catalogue().of_profile(request.profile)}
    return tuple(name for name in names if name in used)


def _too_short(market: Market, panel: Panel, profile: Profile) -> Refusal:
    sessions = len(panel.sessions)
    detail = f"{sessions} sessions of prices are too few for any horizon of profile {profile}"
    return Refusal(market.by_name[market.price].table, Flaw("history", "rejected", sessions, detail))


def _intact(lake: Lake, key: str) -> DataExported | None:
    stored = lake.get_if_intact(key)
    if stored is None:
        return None
    exported = DataExported.model_validate_json(stored)
    refs = references(exported.datasets)
    refs += [ref for ref in (exported.manifest, exported.quality_report, exported.news) if ref is not None]
    # The manifest may name a benchmark, which is made again with it.
    return exported if all(lake.get_if_intact(ref.key) is not None for ref in refs) else None


def _span(era: Era) -> Span:
    return Span(session_number(era.start or FIRST_DAY), session_number(era.end or LAST_DAY))


def _refuse_unknown(datasets: tuple[str, ...], market: Market) -> None:
    names = [spec.name for spec in market.datasets]
    for name in datasets:
        if name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"no dataset {name!r}", where=f"market {market.id}", hint=f"known are: {known}")


def _put_report(lake: Lake, judgement: Judgement, news: dict[str, Any] | None = None) -> LakeRef:
    report = judgement.report() | ({"news": news} if news else {})
    return lake.put_json(f"quality/{digest(report)}", report)
