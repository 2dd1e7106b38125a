"""Results as rows: what a forecast, an explanation, a validation, an alert or a promotion looks like in a table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from pyarrow.json import ParseOptions, ReadOptions, read_json

from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, ValidationCompleted
from cbi_common.events.promotion import ModelPromoted, ModelShadowed, PromotionRejected
from cbi_common.events.training import Metrics

Row = dict[str, Any]

_EVERY: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "day": pa.date32(),
    "time": pa.timestamp("us", "UTC"),
    "market": pa.string(),
    "run_id": pa.string(),
    "simulated": pa.bool_(),
}
_SCORES = ("mape", "r2", "mae", "mase", "skill", "dm_p", "directional_accuracy", "pinball_50", "no_change_mape")
_METRICS: dict[str, pa.DataType] = {
    "n": pa.int64(),
    "n_effective": pa.float64(),
    **dict.fromkeys(_SCORES, pa.float64()),
}
_NESTED = (
    "members",
    "member_returns",
    "quantiles",
    "volatility_weights",
    "combinations",
    "longest",
    "coverage_by_regime",
)
"""Parts of a forecast that are objects: each is text, JSON."""
_BAND_SCORES = (
    "coverage_90",
    "coverage_error",
    "winkler_90",
    "worst_year_coverage",
    "worst_year_by_chance",
    "coverage_90_last60",
    "garch_coverage_90",
    "garch_winkler_90",
    "garch_better_p",
)


@dataclass(frozen=True)
class Kind:
    """One table of results.

    Attributes
    ----------
    name : str
    schema : pa.Schema
        ``event_id`` tells where a row comes from, ``day`` is what the table is partitioned by: the day that the result
        is about (as_of), or on which it was announced.
    clustered : columns that rows are kept together by
    """

    name: str
    schema: pa.Schema
    clustered: tuple[str, ...]


def _kind(name: str, columns: Mapping[str, pa.DataType], clustered: tuple[str, ...]) -> Kind:
    return Kind(name, pa.schema({**_EVERY, **columns}), clustered)


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, pa.string())


def _numbers(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, pa.float64())


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind(
            "forecasts",
            {
                "horizon": pa.string(),
                "provisional": pa.bool_(),
                "target_date": pa.date32(),
                **_numbers("point", "lower_90", "upper_90", "current", "no_change", "probability_up", "volatility"),
                **_texts("signal", "regime", "combiner", "note", "missing", *_NESTED),
                "n_bands": pa.int64(),
                **_numbers(*_BAND_SCORES, "spa_p"),
                **_METRICS,
            },
            ("market", "horizon"),
        ),
        _kind(
            "explanations",
            # level: move (the forecast less the baseline), or the group or driver that has this share of it;
            # importance: a group's share of all that moved past forecasts, over all of them and in the last year
            {
                **_texts("horizon", "level", "name"),
                **_numbers("share", "of_move", "recent", "baseline", "forecast", "residual"),
            },
            ("market", "horizon"),
        ),
        _kind(
            "validations",
            {**_texts("horizon", "source", "by", "value"), **_METRICS, **_numbers("coverage_90")},
            ("market", "horizon"),
        ),
        _kind(
            "alerts",
            {
                **_texts("severity", "source", "what", "hint", "condition", "where"),
                "since": pa.date32(),
                "resolved": pa.bool_(),
            },
            ("market", "severity"),
        ),
        _kind(
            "promotions",
            {
                **_texts("decision", "horizon", "model", "policy", "verdict", "gate"),
                **_numbers("value", "threshold"),
                "passed": pa.bool_(),
                **_texts("detail", "reason", "target", "previous"),
            },
            ("market", "horizon", "model"),
        ),
    )
}


def kind_named(name: str) -> Kind:
    """Return a table of results.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in KINDS:
        raise UsageError(f"no results called {name!r}", where="results", hint=f"there are {', '.join(KINDS)}")
    return KINDS[name]


def rows_of(event: Envelope[Any], simulated: bool | None) -> tuple[Kind, pa.Table]:
    """Return the rows that an event adds to the results, and the table they belong to.

    Parameters
    ----------
    event : Envelope
        Of one of the classes in `RECORDED`.
    simulated : bool or None
        Whether its run stood on simulated data; None where nobody can know, as of an alert.
    """
    data: EventData = event.data
    name, make = _MAKERS[type(data)]
    day = getattr(data, "as_of", None) or event.time.astimezone(UTC).date()
    every = {
        "event_id": event.id,
        "day": day,
        "time": event.time,
        "market": getattr(data, "market", None),
        "run_id": getattr(data, "run_id", None),
        "simulated": simulated,
    }
    kind = KINDS[name]
    return kind, _table([{**every, **row} for row in make(data)], kind.schema)


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    # Through JSON: with the first list that pyarrow is given it imports pandas, half a second in the services' process.
    if not rows:
        return schema.empty_table()
    lines = "\n".join(json.dumps(row, default=_as_json, allow_nan=False) for row in rows)
    parsing = ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    reading = ReadOptions(use_threads=False, block_size=len(lines.encode()) + 1)
    return read_json(io.BytesIO(lines.encode()), reading, parsing)


def _as_json(value: date) -> str | int:
    # pyarrow reads times from text, and days from their number.
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else (value - date(1970, 1, 1)).days


def _forecasts(data: ForecastReady) -> Iterator[Row]:
    for horizon, forecast in data.forecasts.items():
        fields = forecast.model_dump(exclude={"metrics", "target_session", *_NESTED})
        nested = forecast.model_dump(include=set(_NESTED))
        texts = {name: None if part is None else _json(part) for name, part in nested.items()}
        yield {"horizon": horizon, "provisional": data.provisional, **fields, **texts, **_scores(forecast.metrics)}
    for horizon, reason in data.missing.items():
        yield {"horizon": horizon, "provisional": data.provisional, "missing": reason}


def _explanations(data: ExplanationReady) -> Iterator[Row]:
    for horizon, found in data.explanations.items():
        whole = {"baseline": found.baseline, "forecast": found.forecast, "residual": found.residual}
        move = found.forecast - found.baseline
        yield {"horizon": horizon, "level": "move", "name": "", "share": move, **whole}
        for level, shares in (("group", found.groups), ("driver", found.drivers)):
            for name, share in shares.items():
                of_move = share / move if move else None
                yield {"horizon": horizon, "level": level, "name": name, "share": share, "of_move": of_move, **whole}
        recent = found.shift.recent if found.shift else {}
        for name, share in found.importance.items():
            about = {"level": "importance", "name": name, "share": share, "recent": recent.get(name)}
            yield {"horizon": horizon, **about}


def _validations(data: ValidationCompleted) -> Iterator[Row]:
    for horizon, slices in data.horizons.items():
        for part in slices:
            about = {"by": part.by, "value": part.value, "coverage_90": part.coverage_90}
            yield {"horizon": horizon, "source": data.source, **about, **_scores(part.metrics)}


def _alerts(data: AlertRaised) -> Iterator[Row]:
    yield data.model_dump(exclude={"market", "as_of"})


def _rejections(data: PromotionRejected) -> Iterator[Row]:
    decision = {"decision": "rejected", "reason": data.reason}
    if not data.gates:
        yield {**decision, "policy": data.policy}
    for horizon, report in data.gates.items():
        for row in _gates(report.policies):
            yield {**decision, "horizon": horizon, "model": report.candidate, **row}


def _promotions(data: ModelPromoted) -> Iterator[Row]:
    about = {"horizon": data.horizon, "model": data.model_id, "target": data.target, "previous": data.previous}
    for row in _gates(data.report.policies):
        yield {"decision": "promoted", **about, **row}


def _shadows(data: ModelShadowed) -> Iterator[Row]:
    yield {"decision": "shadowed", "horizon": data.horizon, "model": data.challenger, "previous": data.champion}


def _gates(policies: Mapping[str, Any]) -> Iterator[Row]:
    for policy, report in policies.items():
        for gate in report.gates:
            fields = gate.model_dump(exclude={"id", "evidence"})
            yield {"policy": policy, "verdict": report.verdict, "gate": gate.id, **fields}


def _scores(metrics: Metrics) -> Row:
    return metrics.model_dump(include=set(_METRICS))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


_MAKERS: dict[type[EventData], tuple[str, Callable[[Any], Iterator[Row]]]] = {
    ForecastReady: ("forecasts", _forecasts),
    ExplanationReady: ("explanations", _explanations),
    ValidationCompleted: ("validations", _validations),
    AlertRaised: ("alerts", _alerts),
    PromotionRejected: ("promotions", _rejections),
    ModelPromoted: ("promotions", _promotions),
    ModelShadowed: ("promotions", _shadows),
}
RECORDED: tuple[type[EventData], ...] = tuple(_MAKERS)
"""Events that are results."""
