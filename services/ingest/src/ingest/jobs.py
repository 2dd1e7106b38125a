"""What ingest does in a child process: export a market, add a refit to an export, judge tables."""

from __future__ import annotations

from datetime import date
from typing import Any

from cbi_common.core.errors import DataError, InfrastructureError, UsageError
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import Refit, RunManifest
from cbi_common.markets.files import load_market
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.timeseries.calendar import LAST_DAY, session_number
from ingest.adapters.finbert import FinBert
from ingest.domain.flaws import Flaw
from ingest.domain.gate import Refusal
from ingest.exporting import ExportRequest, export_market, put_manifest, rejected
from ingest.judgement import judge
from ingest.news import NO_WEIGHTS, survey, weigh


def export(arg: dict[str, Any]) -> dict[str, Any]:
    """Export a market: gate, panel, features and manifest into the lake.

    Parameters
    ----------
    arg : dict
        Fields of `ingest.exporting.ExportRequest`.

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
        made = export_market(request, market, warehouse, lake, _model(market, request.finbert))
    except DataError as error:
        flaw = Flaw("unreadable", "rejected", 0, error.what)
        made = rejected(request, warehouse, Refusal(error.where or "warehouse", flaw))
    return {"exported" if isinstance(made, DataExported) else "rejected": made.model_dump(mode="json")}


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
    update = {"run_id": repeated.run_id, "manifest": put_manifest(lake, repeated)}
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
