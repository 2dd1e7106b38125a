"""The gate: every table that the market reads, up to as_of, and whether the data can carry a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import Bar, Market, SeriesSpec
from cbi_common.timeseries.calendar import LAST_DAY, session_number
from ingest.domain import checks
from ingest.domain.flaws import Flaw, verdict
from ingest.domain.rows import Rows
from ingest.domain.tables import Source, TableReport, inspect_table
from ingest.domain.twins import mislabelled


@dataclass(frozen=True)
class Refusal:
    """Why nothing may train on the data."""

    table: str
    flaw: Flaw


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes
    ----------
    as_of : date or None
        Day of the last price at or before the requested as_of; None when there is none, and then there is a refusal.
    quality : table to its verdict
    flaws : table to everything that was found there
    series : name to its rows, one per session in ascending order
    lost : name of a series that did not come through to the reason
    refusal : Refusal or None
    """

    as_of: date | None
    quality: dict[str, TableQuality]
    flaws: dict[str, tuple[Flaw, ...]]
    series: dict[str, Rows]
    lost: dict[str, str]
    refusal: Refusal | None


def examine(market: Market, sources: Mapping[str, Source], requested: date | None) -> Verdict:
    """Check all tables of a market as of ``requested``, or as of the last price.

    Everything is cut at the day of the last price at or before ``requested`` first: a Sunday is the Friday before it.

    Parameters
    ----------
    market : Market
    sources : table to what the warehouse gave of it
        One for every table of the market.
    requested : date or None
    """
    price = market.by_name[market.price]
    own = _own_sessions(market)
    first_look = inspect_table(sources[price.table], [price], requested or LAST_DAY, own)
    refusal = _too_early(sources[price.table], price, requested) or _price_refusal(first_look, price, requested)
    known = first_look.series.get(price.name)
    as_of = known.days[-1].item() if known is not None and len(known) else None
    cut = as_of or requested or LAST_DAY
    reports = {name: inspect_table(sources[name], specs, cut, own) for name, specs in market.tables.items()}
    _drop_broken_bars(market, reports)
    _mask_mislabelled(market, reports)
    _note_staleness(market, reports, cut)
    refusal = refusal or _required_refusal(market, reports, cut)
    return Verdict(
        as_of=as_of,
        quality={name: report.quality for name, report in reports.items()},
        flaws={name: report.flaws for name, report in reports.items()},
        series={name: rows for report in reports.values() for name, rows in report.series.items()},
        lost={
            name: f"{flaw.check}: {flaw.detail}" for report in reports.values() for name, flaw in report.lost.items()
        },
        refusal=refusal,
    )


def _own_sessions(market: Market) -> frozenset[str]:
    bars = (name for bar in market.bars for name in (bar.open, bar.high, bar.low, bar.close))
    return frozenset([market.price, *bars])


def _too_early(source: Source, price: SeriesSpec, requested: date | None) -> Refusal | None:
    whole = inspect_table(source, [price], LAST_DAY, [price.name]).series.get(price.name)
    if requested is None or whole is None or requested >= whole.days[0].item():
        return None
    detail = f"as_of {requested} is before the data begins on {whole.days[0]}"
    return Refusal(price.table, Flaw("as_of", "rejected", 0, detail))


def _price_refusal(look: TableReport, price: SeriesSpec, requested: date | None) -> Refusal | None:
    if price.name in look.lost:
        return Refusal(price.table, look.lost[price.name])
    frozen = [flaw for flaw in look.flaws if flaw.check == "frozen_tail"]
    if frozen:
        return Refusal(price.table, frozen[0])
    last = look.series[price.name]
    age = 0 if requested is None else session_number(requested) - int(last.sessions[-1])
    if age <= price.staleness_sessions:
        return None
    detail = f"{price.name}: as_of {requested} is {age} sessions after the last price of {last.days[-1]}"
    limit = price.staleness_sessions
    return Refusal(price.table, Flaw("stale", "rejected", age, f"{detail}, at most {limit} are allowed"))


def _required_refusal(market: Market, reports: Mapping[str, TableReport], as_of: date) -> Refusal | None:
    session = session_number(as_of)
    for spec in (series for series in market.series if series.required):
        report = reports[spec.table]
        lost = report.lost.get(spec.name)
        stale = [] if lost else checks.find_stale(report.series[spec.name], spec, session)
        if lost or stale:
            return Refusal(spec.table, lost or stale[0])
    return None


def _note_staleness(market: Market, reports: dict[str, TableReport], as_of: date) -> None:
    session = session_number(as_of)
    for name, report in reports.items():
        for series, rows in report.series.items():
            found = checks.find_stale(rows, market.by_name[series], session)
            _note(reports, name, [replace(flaw, columns=(market.by_name[series].value,)) for flaw in found])


def _drop_broken_bars(market: Market, reports: dict[str, TableReport]) -> None:
    for bar in market.bars:
        parts = {part: market.by_name[part].table for part in (bar.open, bar.high, bar.low)}
        have = {name: rows for report in reports.values() for name, rows in report.series.items()}
        if not {bar.close, *parts} <= have.keys():
            continue
        broken = _broken_sessions(have, bar)
        high = have[bar.high]
        found = high.flaws("ohlc_order", np.isin(high.sessions, broken), "open, high and low dropped")
        found = [replace(flaw, columns=tuple(market.by_name[part].value for part in parts)) for flaw in found]
        for part, table in parts.items():
            rows = have[part]
            reports[table].series[part] = rows.take(~np.isin(rows.sessions, broken))
        _note(reports, parts[bar.high], found)


def _mask_mislabelled(market: Market, reports: dict[str, TableReport]) -> None:
    have = {name: rows for report in reports.values() for name, rows in report.series.items()}
    for name, (others, alike) in mislabelled(market, have).items():
        spec, rows = market.by_name[name], have[name]
        found = rows.flaws("mislabelled", alike, f"moves as {', '.join(others)} does: unknown there")
        reports[spec.table].series[name] = rows.take(~alike)
        _note(reports, spec.table, [replace(flaw, columns=(spec.value,)) for flaw in found])


def _broken_sessions(have: Mapping[str, Rows], bar: Bar) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    parts = [have[name] for name in (bar.open, bar.high, bar.low, bar.close)]
    common = parts[0].sessions
    for part in parts[1:]:
        common = np.intersect1d(common, part.sessions, assume_unique=True)
    opened, high, low, close = (part.values[np.searchsorted(part.sessions, common)] for part in parts)
    slack = 1e-9 * high
    broken = (np.maximum(opened, close) > high + slack) | (np.minimum(opened, close) < low - slack)
    return common[broken]


def _note(reports: dict[str, TableReport], table: str, found: list[Flaw]) -> None:
    if found:
        report = reports[table]
        flaws = (*report.flaws, *found)
        quality = verdict(report.quality.rows, flaws, usable=bool(report.series))
        reports[table] = TableReport(quality, flaws, report.series, report.lost)
