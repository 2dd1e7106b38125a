"""What a market file may say, and the checks that a reference in it leads somewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from cbi_common.core.errors import DataError, UsageError
from cbi_common.core.identity import digest
from cbi_common.timeseries.eras import Era

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$")]
Sign = Literal[-1, 0, 1]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SeriesSpec(_Frozen):
    """One series of observations in a table of the warehouse."""

    name: Name
    table: TableName
    date: str
    """Column that holds the day of the observation (never the day it was loaded)."""
    value: str
    """Column that holds the value."""
    unit: str
    where: dict[str, tuple[str, ...]] = {}
    """Column to the values a row may have there; of two rows of one date the value that is named first wins."""
    above: float | None = None
    """Values must be greater; others are masked."""
    below: float | None = None
    release_lag_sessions: int = Field(default=0, ge=0)
    """Sessions from the observation to the close at which it is known."""
    staleness_sessions: int = Field(ge=0)
    """Sessions a value may be carried beyond the close at which it became known."""
    frequency: Literal["session", "week"] = "session"
    frozen_after: int = Field(default=10, ge=2)
    """Equal observations in a row that are believed."""
    max_move: float | None = Field(default=None, gt=0)
    """A log move above it is masked until the next observation confirms it."""
    required: bool = False
    """Without it there is no forecast."""


class Bar(_Frozen):
    """Series of one trading day whose order ``low <= open, close <= high`` is checked."""

    open: Name
    high: Name
    low: Name
    close: Name


class FeatureSpec(_Frozen):
    """A column made of series; ``kind`` names the function in ingest, ``params`` its arguments."""

    name: Name
    group: Name
    kind: Name
    inputs: tuple[Name, ...] = ()
    params: dict[str, int | float] = {}
    unit: str
    doc: str = Field(min_length=8)


class Market(_Frozen):
    """Everything that is specific to one market."""

    id: Name
    name: str
    unit: str
    calendar: Literal["CBOT_Agriculture"]
    price: Name
    """Series whose closes are forecast."""
    lot_lb: int = Field(gt=0)
    groups: tuple[Name, ...]
    expected_signs: dict[Name, Sign]
    """Series to the sign of its effect on the price."""
    correlation_pairs: tuple[tuple[Name, Name], ...]
    series: tuple[SeriesSpec, ...] = Field(min_length=1)
    """In a file they stand in ``tables``, each under the table and date column that it shares with its siblings."""
    bars: tuple[Bar, ...] = ()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    eras: tuple[Era, ...] = Field(min_length=1)
    """In the order of time; a weight applies from the era's start on."""

    @cached_property
    def by_name(self) -> dict[str, SeriesSpec]:
        """Series by name, in the order of the file."""
        return {series.name: series for series in self.series}

    @cached_property
    def tables(self) -> dict[str, tuple[SeriesSpec, ...]]:
        """Table to the series that are read from it."""
        names = dict.fromkeys(series.table for series in self.series)
        return {name: tuple(series for series in self.series if series.table == name) for name in names}

    @cached_property
    def group_of(self) -> dict[str, str]:
        """Feature name to its driver group."""
        return {feature.name: feature.group for feature in self.features}

    @cached_property
    def sha256(self) -> str:
        """Digest of the whole file."""
        return digest(self.model_dump(mode="json"))

    def drivers_of(self, series: str) -> tuple[FeatureSpec, ...]:
        """Return the features made of ``series`` alone: those whose sign is the sign of the driver."""
        return tuple(feature for feature in self.features if feature.inputs == (series,))

    @model_validator(mode="before")
    @classmethod
    def _series_stand_in_tables(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "tables" not in raw:
            return raw
        flat = [
            {"table": table.get("name"), "date": table.get("date"), **series}
            for table in raw["tables"]
            for series in table.get("series", [])
        ]
        return {**{key: value for key, value in raw.items() if key != "tables"}, "series": flat}

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        _unique("series", (series.name for series in self.series))
        _unique("feature", (feature.name for feature in self.features))
        _unique("group", self.groups)
        _unique("era", (era.name for era in self.eras))
        return self

    @model_validator(mode="after")
    def _references_lead_somewhere(self) -> Self:
        self._check_series("price", [self.price])
        self._check_series("expected_signs", self.expected_signs)
        self._check_series("correlation_pairs", (name for pair in self.correlation_pairs for name in pair))
        for bar in self.bars:
            self._check_series("bars", (bar.open, bar.high, bar.low, bar.close))
        for feature in self.features:
            self._check_series(f"feature {feature.name}", feature.inputs)
            if feature.group not in self.groups:
                raise ValueError(f"feature {feature.name}: no group {feature.group!r}")
        if not self.by_name[self.price].required:
            raise ValueError(f"price series {self.price!r} must be required")
        return self

    @model_validator(mode="after")
    def _eras_follow_each_other(self) -> Self:
        for before, after in zip(self.eras, self.eras[1:], strict=False):
            if before.end is None or after.start is None or before.end >= after.start:
                raise ValueError(f"era {after.name!r} must start after {before.name!r} has ended")
        return self

    def _check_series(self, where: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.by_name:
                raise ValueError(f"{where}: no series {name!r}")


def _unique(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {kind} entries are called {name!r}")
        seen.add(name)


def known_markets() -> tuple[str, ...]:
    """Return the ids of the markets that ship with the library."""
    folder = files("cbi_common.markets")
    return tuple(sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def parse_market(text: str, *, where: str) -> Market:
    """Read a market file.

    Raises
    ------
    UsageError
        When it is not TOML, a field does not fit, or a reference leads nowhere.
    """
    try:
        return Market.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not TOML: {error}", where=where) from error
    except DataError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{place}: {message}" if place else message, where=where, hint="correct the market file"
        ) from None


@cache
def load_market(market: str) -> Market:
    """Return a market by its id.

    Raises
    ------
    UsageError
        When there is no such market; the message names the known ones.
    """
    if market not in known_markets():
        raise UsageError(f"no market {market!r}", where="markets", hint=f"known are: {', '.join(known_markets())}")
    text = files("cbi_common.markets").joinpath(f"{market}.toml").read_text(encoding="utf-8")
    return parse_market(text, where=f"markets/{market}.toml")
