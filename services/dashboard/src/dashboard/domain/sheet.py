"""Answers as rows for a spreadsheet: every row names its run, its day, and whether it is simulated."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from cbi_common.events.base import Contract
from dashboard.domain.advised import AdviceAnswer
from dashboard.domain.answers import ForecastAnswer, Origin, PredictionsAnswer, RegimeAnswer
from dashboard.domain.bought import BacktestAnswer
from dashboard.domain.covered import CoverAnswer
from dashboard.domain.development import ExplanationAnswer, ValidationAnswer
from dashboard.domain.market import MarketAnswer
from dashboard.domain.performance import PerformanceAnswer, TrackAnswer

Row = dict[str, Any]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(answer: Contract) -> str:
    """Return an answer as CSV, UTF-8 with a mark by which a spreadsheet knows that.

    A text that a spreadsheet would take for a formula is quoted with an apostrophe.
    """
    told = list(rows(answer))
    names = list(dict.fromkeys(name for row in told for name in row))
    out = io.StringIO()
    sheet = csv.DictWriter(out, names, restval="", lineterminator="\r\n")
    sheet.writeheader()
    sheet.writerows({name: _cell(value) for name, value in row.items()} for row in told)
    return "\ufeff" + out.getvalue()


@singledispatch
def rows(answer: Contract) -> Iterator[Row]:
    """Yield the rows of an answer."""
    raise TypeError(f"no rows are defined for {type(answer).__name__}")


@rows.register
def _(answer: PredictionsAnswer) -> Iterator[Row]:
    for prediction in answer.predictions:
        yield {**_origin(answer.origin), **prediction.model_dump(mode="json")}


@rows.register
def _(answer: ForecastAnswer) -> Iterator[Row]:
    yield {**_origin(answer.origin), **answer.prediction.model_dump(mode="json")}


@rows.register
def _(answer: RegimeAnswer) -> Iterator[Row]:
    for state, probability in answer.probabilities.items():
        yield {**_origin(answer.origin), "state": state, "probability": probability, "current": state == answer.state}


@rows.register
def _(answer: MarketAnswer) -> Iterator[Row]:
    for outlook in answer.outlook:
        flat = outlook.model_dump(mode="json", exclude={"groups", "importance", "signs"})
        shares = {f"share_{name}": value for name, value in (outlook.groups or {}).items()}
        yield {**_origin(answer.origin), "price": answer.price, "state": answer.state, **flat, **shares}


@rows.register
def _(answer: ExplanationAnswer) -> Iterator[Row]:
    e = answer.explanation
    head = {**_origin(answer.origin), "horizon": answer.horizon}
    yield {**head, "level": "baseline", "name": "price of today", "share": e.baseline}
    for level, shares in (("group", e.groups), ("driver", e.drivers)):
        for name, share in shares.items():
            yield {**head, "level": level, "name": name, "share": share}
    yield {**head, "level": "residual", "name": "residual", "share": e.residual}
    yield {**head, "level": "forecast", "name": "forecast", "share": e.forecast}


@rows.register
def _(answer: PerformanceAnswer) -> Iterator[Row]:
    for scores in answer.scores:
        head = {**_origin(answer.origin), "horizon": scores.horizon, "source": scores.source}
        yield from ({**head, **_slice(part.model_dump(mode="json"))} for part in scores.slices)


@rows.register
def _(answer: ValidationAnswer) -> Iterator[Row]:
    for horizon, slices in answer.horizons.items():
        head = {**_origin(answer.origin), "horizon": horizon, "source": answer.source}
        yield from ({**head, **_slice(part.model_dump(mode="json"))} for part in slices)


@rows.register
def _(answer: TrackAnswer) -> Iterator[Row]:
    for row in answer.rows:
        yield {**_origin(answer.origin), "horizon": answer.horizon, **row.model_dump(mode="json")}


@rows.register
def _(answer: BacktestAnswer) -> Iterator[Row]:
    terms = {f"terms_{name}": value for name, value in answer.terms.model_dump(mode="json").items()}
    head = {**_origin(answer.origin), **terms}
    for name, figures in answer.strategies.items():
        low, high = figures.savings_ci or (None, None)
        flat = figures.model_dump(mode="json", exclude={"savings_ci"})
        yield {**head, "strategy": name, **flat, "savings_low": low, "savings_high": high}


@rows.register
def _(answer: AdviceAnswer) -> Iterator[Row]:
    head = {**_origin(answer.origin), "horizon": answer.horizon, "signal": answer.signal, "edge": answer.edge}
    for month in answer.months:
        yield {**head, "action": answer.action, **month.model_dump(mode="json")}


@rows.register
def _(answer: CoverAnswer) -> Iterator[Row]:
    for entry in answer.entries:
        yield {**_origin(answer.origin), "carry": answer.carry, **entry.model_dump(mode="json")}


def _slice(part: Mapping[str, Any]) -> Row:
    return {**{name: value for name, value in part.items() if name != "metrics"}, **part["metrics"]}


def _origin(origin: Origin) -> Row:
    return {
        "market": origin.market,
        "unit": origin.unit,
        "as_of": origin.as_of,
        "run_id": origin.run_id,
        "simulated": origin.simulated,
    }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
