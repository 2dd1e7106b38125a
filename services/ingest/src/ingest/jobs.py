"""What ingest does in a child process: export a market, add a refit to an export, judge tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import DataError, InfrastructureError, UsageError
from cbi_common.core.identity import digest
from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported, DataRejected
from cbi_common.events.manifest import Profile, Refit, RunManifest
from cbi_common.markets.spec import Market, load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import put_market
from cbi_common.storage.warehouse import Warehouse, open_warehouse
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
from ingest.news import NO_WEIGHTS, gather, identity, survey, weigh

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


def export(arg: dict[str, Any]) -> dict[str, Any]:
    """Export a market: gate, panel, features and manifest into the lake.

    Parameters
    ----------
    arg : dict
        Fields of `ExportRequest`.

    Returns
    -------
    dict
        ``{"exported": fields of DataExported}`` or ``{"rejected": fields of DataRejected}``.

    Raises
    ------
    UsageError
        For a market or warehouse that does not exist.
    InfrastructureError
        When the lake cannot be written.
    """
    request = ExportRequest.model_validate(arg)
    market = load_market(request.market, request.markets)
    warehouse, lake = open_warehouse(request.warehouse), Lake(request.lake)
    try:
        return _export(request, market, warehouse, lake)
    except DataError as error:
        refusal = Refusal(error.where or "warehouse", Flaw("unreadable", "rejected", 0, error.what))
        return _rejected(request, warehouse, refusal, None)


def retrain(arg: dict[str, Any]) -> dict[str, Any]:
    """Add a refit of every model at as_of to an export, on the same datasets.

    Parameters
    ----------
    arg : dict
        ``lake``, ``exported`` (fields of a complete `DataExported`), ``cause`` (id of the event that asks).

    Returns
    -------
    dict
        ``{"exported": fields of DataExported}`` with a run id of its own.
    """
    lake, exported = Lake(arg["lake"]), DataExported.model_validate(arg["exported"])
    if exported.manifest is None:
        raise InfrastructureError("the export has no manifest", where="ingest retrain", hint="report this as a bug")
    manifest = RunManifest.model_validate(lake.get_json(exported.manifest))
    session = manifest.as_of_session
    refit = Refit(
        date=manifest.as_of,
        session=session,
        model_ids=tuple(sorted({member.model_id for member in manifest.members})),
        cause=arg["cause"],
    )
    others = [other for other in manifest.refits if (other.session, other.cause) != (session, refit.cause)]
    ordered = tuple(sorted([*others, refit], key=lambda r: (r.session, r.cause)))
    repeated = manifest.model_copy(update={"refits": ordered})
    update = {"run_id": repeated.run_id, "manifest": _put_manifest(lake, repeated)}
    return {"exported": exported.model_copy(update=update).model_dump(mode="json")}


def quality(arg: dict[str, Any]) -> dict[str, Any]:
    """Run the gate and return its verdict on every table of a warehouse.

    Parameters
    ----------
    arg : dict
        ``warehouse``, ``market``, ``as_of`` (ISO date or None), ``markets`` (folder of own market files, optional),
        ``finbert`` (optional).

    Returns
    -------
    dict
        ``as_of``, ``warehouse``, ``simulated``, ``refused`` (one line or None), ``absent`` (what cannot be made at all
        to the reason), ``tables`` (name to its verdict).
    """
    market, warehouse = load_market(arg["market"], arg.get("markets")), open_warehouse(arg["warehouse"])
    requested = None if arg["as_of"] is None else date.fromisoformat(arg["as_of"])
    judgement = judge(market, warehouse, requested)
    verdict = judgement.verdict
    return {
        "as_of": None if verdict.as_of is None else verdict.as_of.isoformat(),
        "warehouse": warehouse.label,
        "simulated": warehouse.simulated,
        "refused": None if verdict.refusal is None else f"{verdict.refusal.table}: {verdict.refusal.flaw.detail}",
        "absent": {"news": NO_WEIGHTS} if market.news and _model(market, arg.get("finbert")) is None else {},
        **judgement.report(),
    }


def news(arg: dict[str, Any]) -> dict[str, Any]:
    """Read, clean and score the articles of a market.

    Parameters
    ----------
    arg : dict
        ``lake``, ``warehouse``, ``market``, ``as_of`` (ISO date, or None for all articles there are), ``markets`` and
        ``finbert`` (None where there is none).

    Returns
    -------
    dict
        ``market``, ``warehouse``, ``simulated``, ``as_of``; ``model`` (name and fingerprint, or None), ``absent`` (why
        there is no sentiment, or None); ``tables`` (name to what was read, removed and changed, or ``trouble``),
        ``articles``, ``sessions``, ``first`` and ``last`` session, ``topics``, ``latest`` sentiment, ``provenance``
        (where the articles behind it lie).

    Raises
    ------
    UsageError
        When the market has no news, or the model cannot be used.
    """
    market, warehouse = load_market(arg["market"], arg.get("markets")), open_warehouse(arg["warehouse"])
    if market.sentiment is None:
        raise UsageError("no news", where=f"market {market.id}", hint="declare them under [[news]] in its file")
    last = LAST_DAY if arg["as_of"] is None else date.fromisoformat(arg["as_of"])
    found = survey(market, warehouse, session_number(last))
    weighed = weigh(Lake(arg["lake"]), market.sentiment, found, _model(market, arg["finbert"]))
    return {
        "market": market.id,
        "warehouse": warehouse.label,
        "simulated": warehouse.simulated,
        "as_of": arg["as_of"],
        "absent": weighed.absent,
        "latest": None,
        "provenance": None if weighed.articles is None else weighed.articles.model_dump(mode="json"),
        **weighed.report,
    }


def _model(market: Market, setting: str | None) -> FinBert | None:
    return None if setting is None or market.sentiment is None else FinBert.find(setting)


def _export(request: ExportRequest, market: Market, warehouse: Warehouse, lake: Lake) -> dict[str, Any]:
    market_file = put_market(lake, market)
    # Datasets and files of the market file decide nothing about panel and features.
    canonical = market.model_dump(mode="json", exclude={"datasets", "column_rules", "exports", "benchmark"})
    model = _model(market, request.finbert)
    content = [VERSION, digest(canonical), fingerprints(warehouse, market.tables), *identity(market, warehouse, model)]
    _refuse_unknown(request.datasets, market)
    asked = request.model_dump(mode="json", exclude={"lake", "warehouse", "markets", "finbert"})
    # The gate judges every table: a change of one that nobody reads makes another export, of the same datasets.
    source = [warehouse.label, warehouse.simulated, fingerprints(warehouse, warehouse.tables())]
    key = f"export/{digest(content, source, market.sha256, load_catalogue().sha256, asked)}"
    done = _intact(lake, key)
    if done is not None:
        return {"exported": done}
    judgement = judge(market, warehouse, request.as_of, unread=request.scope == "all")
    verdict = judgement.verdict
    if verdict.refusal is not None:
        return _rejected(request, warehouse, verdict.refusal, verdict, _put_report(lake, judgement))
    panel = build_panel(market, verdict.series)
    news = gather(lake, market, warehouse, int(panel.sessions[-1]), model)
    report = _put_report(lake, judgement, news.report)
    panel, verdict = news.joined(panel, market.sentiment), replace(verdict, lost={**verdict.lost, **news.lost})
    at_as_of = digest(*content, str(panel.dates[-1]))
    made = put_datasets(lake, market, warehouse, verdict, panel, at_as_of, _wanted(request, market))
    plan = plan_run(
        load_catalogue(),
        request.profile,
        spans=made.spans,
        eras={era.name: _span(era) for era in market.eras},
        as_of_session=int(panel.sessions[-1]),
        retrain_cause=request.retrain_cause,
        inherited=request.inherited_refits,
    )
    if not plan.windows:
        return _rejected(request, warehouse, _too_short(market, panel, request.profile), verdict, report)
    benchmark = store_benchmark(lake, market.benchmark, warehouse, panel.dates[-1].item())
    manifest = _manifest(request, panel, plan, made, market_file, simulated=warehouse.simulated)
    manifest = manifest.model_copy(update={"benchmark": benchmark.ref})
    exported = DataExported(
        market=market.id,
        as_of=manifest.as_of,
        profile=request.profile,
        run_id=manifest.run_id,
        manifest=_put_manifest(lake, manifest),
        warehouse=warehouse.label,
        simulated=warehouse.simulated,
        title=market.name,
        unit=market.unit,
        datasets=made.events,
        absent={**made.absent, **_lacking(news=news.absent, benchmark=benchmark.absent)},
        quality=verdict.quality,
        quality_report=report,
        news=news.articles,
    ).model_dump(mode="json")
    lake.put_json(key, exported)
    return {"exported": exported}


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


def _intact(lake: Lake, key: str) -> dict[str, Any] | None:
    stored = lake.get_if_intact(key)
    if stored is None:
        return None
    raw: dict[str, Any] = json.loads(stored)
    exported = DataExported.model_validate(raw)
    refs = references(exported.datasets)
    refs += [ref for ref in (exported.manifest, exported.quality_report, exported.news) if ref is not None]
    # The manifest may name a benchmark, which is made again with it.
    return raw if all(lake.get_if_intact(ref.key) is not None for ref in refs) else None


def _span(era: Era) -> Span:
    return Span(session_number(era.start or FIRST_DAY), session_number(era.end or LAST_DAY))


def _refuse_unknown(datasets: tuple[str, ...], market: Market) -> None:
    names = [spec.name for spec in market.datasets]
    for name in datasets:
        if name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"no dataset {name!r}", where=f"market {market.id}", hint=f"known are: {known}")


def _put_manifest(lake: Lake, manifest: RunManifest) -> LakeRef:
    return lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))


def _put_report(lake: Lake, judgement: Judgement, news: dict[str, Any] | None = None) -> LakeRef:
    report = judgement.report() | ({"news": news} if news else {})
    return lake.put_json(f"quality/{digest(report)}", report)


def _rejected(
    request: ExportRequest,
    warehouse: Warehouse,
    refusal: Refusal,
    verdict: Verdict | None,
    report: LakeRef | None = None,
) -> dict[str, Any]:
    event = DataRejected(
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
    return {"rejected": event.model_dump(mode="json")}
