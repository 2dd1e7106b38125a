"""The columns that the market file expects of a table, beside those that it has: pydantic says what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, ValidationError, create_model

from cbi_common.markets.spec import SeriesSpec
from ingest.domain.flaws import Flaw

Kind = Literal["number", "day", "text", "empty", "other"]

_NUMBER = Literal["number", "empty"]
_SHOWN = 20


def check_columns(spec: SeriesSpec, columns: Iterable[str], table: pa.Table) -> list[Flaw]:
    """Return what of a series' columns is missing or holds something else.

    Parameters
    ----------
    spec : SeriesSpec
    columns : names of all columns of the table
    table : pa.Table
        The columns that are read of it.
    """
    expected = {spec.value: _NUMBER, **dict.fromkeys(spec.where, Kind)}
    return _misfits(expected, columns, table, label=f"{spec.name}: ", done="column dropped")


def check_days(date: str, columns: Iterable[str], table: pa.Table) -> list[Flaw]:
    """Return what is wrong with the column of days, without which a table says nothing."""
    return _misfits({date: Literal["day"]}, columns, table, label="", done="table rejected")


def kind_of(kind: pa.DataType) -> Kind:
    """Return what a column of this type holds."""
    if pa.types.is_null(kind):
        return "empty"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "day"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "other"


def _misfits(
    expected: Mapping[str, Any], columns: Iterable[str], table: pa.Table, *, label: str, done: str
) -> list[Flaw]:
    # Columns of a table may have any name, fields of a model may not: they are numbered.
    fields: dict[str, Any] = {f"column_{i}": (kind, ...) for i, kind in enumerate(expected.values())}
    model = create_model("Columns", __config__=ConfigDict(extra="forbid"), **fields)
    have = {name: kind_of(field) for name, field in zip(table.schema.names, table.schema.types, strict=True)}
    given = {f"column_{i}": have[name] for i, name in enumerate(expected) if name in have}
    try:
        model.model_validate(given)
    except ValidationError as error:
        names, found = list(expected), list(columns)
        return [
            _flaw(names[int(str(wrong["loc"][0]).removeprefix("column_"))], wrong["type"], found, table, label, done)
            for wrong in error.errors(include_url=False)
        ]
    return []


def _flaw(name: str, kind: str, columns: list[str], table: pa.Table, label: str, done: str) -> Flaw:
    if kind == "missing":
        names = ", ".join(columns[:_SHOWN]) + (" …" if len(columns) > _SHOWN else "")
        detail = f"no column {name!r}; it has {names}"
        return Flaw("missing_column", "rejected", 1, detail, columns=(name,), done="what is made of it is left out")
    first = [str(value)[:40] for value in table[name].slice(0, 3).to_pylist()]
    wanted = "dates" if done == "table rejected" else "numbers"
    detail = f"{label}column {name!r} holds {table.schema.field(name).type}, not {wanted} (first: {first})"
    return Flaw("wrong_type", "rejected", table.num_rows, detail, columns=(name,), done=done)
