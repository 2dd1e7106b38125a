"""What a market file may say, and the checks that a reference in it leads somewhere."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.markets.audits import AuditSpec
from cbi_common.markets.benchmark import BenchmarkSpec
from cbi_common.markets.datasets import ColumnRule, DatasetSpec, ExportSpec, dangling
from cbi_common.markets.news import NewsSpec, SentimentSpec
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
    frequency: Literal["session", "week", "month"] = "session"
    frozen_after: int = Field(default=10, ge=2)
    """Equal observations in a row that are believed."""
    max_move: float | None = Field(default=None, gt=0)
    """A log move above it is masked until the next observation confirms it."""
    thin_below: float | None = None
    """Values below it are flagged: a contract that hardly anybody trades."""
    late: tuple[tuple[datetime.date, datetime.date], ...] = ()
    """First and last day of observations that came out later than ``release_lag_sessions`` says: they are not used."""
    required: bool = False
    """Without it there is no forecast."""

    @model_validator(mode="after")
    def _late_spans_run_forward(self) -> Self:
        for first, last in self.late:
            if first > last:
                raise ValueError(f"series {self.name}: late from {first} to {last} runs backward")
        return self


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
    params: dict[str, int | float | tuple[int, ...]] = {}
    unit: str
    doc: str = Field(min_length=8)
    """What it is for, in one line."""
    horizons: tuple[Horizon, ...] = Field(default=tuple(Horizon), min_length=1)
    """Horizons whose models may see it."""
    signed: bool = True
    """Whether it rises and falls with its series, as a return does and a volatility does not."""


class RegimeRules(_Frozen):
    """Thresholds of the market's regimes, fixed in advance; returns and volatilities are fractions (DOMAIN section 7).

    They are in the scale of one instrument: 40 % of annual volatility is a crisis in soybean oil and a usual quarter in
    crude.
    """

    window: int = Field(default=30, ge=2)
    """Sessions of the return and of the volatility."""
    least_returns: int = Field(default=25, ge=2)
    """Daily returns that a volatility needs at least: one missing session must not silence a month."""
    fear: Name | None = None
    """Series of an index of fear (the VIX); without one, and where it is not known, volatility alone decides."""
    crisis_fear: float = 30.0
    """Above it the market is in a crisis, in the unit of ``fear``."""
    crisis_volatility: float = Field(default=0.40, gt=0)
    trend_return: float = Field(default=0.10, gt=0)
    bull_volatility: float = Field(default=0.25, gt=0)
    bear_volatility: float = Field(default=0.30, gt=0)


class Market(_Frozen):
    """Everything that is specific to one market."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    """What events call the market, and the name of its file."""
    name: str
    """What people call it, as a heading."""
    instrument: str = ""
    """Which price exactly: exchange, delivery, adjustment."""
    unit: str
    """Unit of the price and of everything that is printed beside it."""
    calendar: Literal["CBOT_Agriculture"]
    price: Name
    """Series whose closes are forecast."""
    lot_size: float | None = Field(default=None, gt=0)
    """Quantity of one contract, in what the price is per (lb of ¢/lb); None where nothing is traded in lots."""
    groups: tuple[Name, ...]
    expected_signs: dict[Name, Sign]
    """Series to the sign of its effect on the price."""
    correlation_pairs: tuple[tuple[Name, Name], ...]
    series: tuple[SeriesSpec, ...] = Field(min_length=1)
    """In a file they stand in ``tables``, each under its table; what is said of a table holds for all its series."""
    bars: tuple[Bar, ...] = ()
    regime: RegimeRules = RegimeRules()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    core: tuple[Name, ...] = ()
    """Features that the economics of the market name, a few for each reason: what a line can be trusted to weigh."""
    eras: tuple[Era, ...] = Field(min_length=1)
    """In the order of time; a weight applies from the era's start on."""
    datasets: tuple[DatasetSpec, ...] = ()
    """Wide tables that are datasets beside ``full``."""
    column_rules: tuple[ColumnRule, ...] = ()
    """What is true of their columns; of several rules that match a column the first holds."""
    exports: tuple[ExportSpec, ...] = ()
    """Files of `cbi export`."""
    audits: tuple[AuditSpec, ...] = ()
    """Facts about tables that cannot be seen in them."""
    benchmark: BenchmarkSpec | None = None
    """Predictions that a candidate for promotion is compared with."""
    news: tuple[NewsSpec, ...] = ()
    """Tables of articles."""
    sentiment: SentimentSpec | None = None
    """What is made of the articles."""

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
    def expiry(self) -> tuple[tuple[int, ...], int] | None:
        """Delivery months and the day in them on which the front contract ends, as the market's features say."""
        for feature in self.features:
            if feature.kind == "expiry_days":
                return _whole(feature.params["months"]), _whole(feature.params["day"])[0]
        return None

    @cached_property
    def news_series(self) -> frozenset[str]:
        """Names of the series that are made of articles."""
        return frozenset() if self.sentiment is None else frozenset(name for name, _ in self.sentiment.series())

    @cached_property
    def sha256(self) -> str:
        """Digest of the whole file."""
        return digest(self.model_dump(mode="json"))

    def drivers_of(self, series: str) -> tuple[FeatureSpec, ...]:
        """Return the features made of ``series`` alone that move with it: they have the sign of the driver."""
        return tuple(feature for feature in self.features if feature.inputs == (series,) and feature.signed)

    def withheld_from(self, horizons: Iterable[Horizon]) -> frozenset[str]:
        """Return the features that are declared for none of ``horizons``, or are on trial as those of the news may be.

        A model of several horizons at once sees what any of them may see: its layers are common property.
        """
        served = set(horizons)
        on_trial = set() if self.sentiment is not None and self.sentiment.models else self.news_series
        return frozenset(
            feature.name
            for feature in self.features
            if served.isdisjoint(feature.horizons) or not on_trial.isdisjoint(feature.inputs)
        )

    @property
    def beyond_core(self) -> frozenset[str]:
        """Features that are not of the core."""
        return frozenset(feature.name for feature in self.features) - frozenset(self.core)

    @model_validator(mode="before")
    @classmethod
    def _series_stand_in_tables(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "tables" not in raw:
            return raw

        def shared(table: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in table.items() if key not in {"name", "series"}}

        flat = [
            {"table": table.get("name"), **shared(table), **series}
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
        self._check_series("regime fear", [] if self.regime.fear is None else [self.regime.fear])
        for bar in self.bars:
            self._check_series("bars", (bar.open, bar.high, bar.low, bar.close))
        for feature in self.features:
            self._check_series(f"feature {feature.name}", (n for n in feature.inputs if n not in self.news_series))
            if feature.group not in self.groups:
                raise ValueError(f"feature {feature.name}: no group {feature.group!r}")
        for name in self.core:
            if name not in {feature.name for feature in self.features}:
                raise ValueError(f"core: no feature {name!r}")
        if not self.by_name[self.price].required:
            raise ValueError(f"price series {self.price!r} must be required")
        return self

    @model_validator(mode="after")
    def _news_have_topics(self) -> Self:
        if (self.sentiment is None) != (not self.news):
            raise ValueError("news and sentiment: declare both or neither")
        _unique("news", (spec.table for spec in self.news))
        _unique("series", [*self.by_name, *sorted(self.news_series)])
        return self

    @model_validator(mode="after")
    def _datasets_lead_somewhere(self) -> Self:
        for wrong in dangling(self.datasets, self.exports, {era.name: era for era in self.eras}):
            raise ValueError(wrong)
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


def _whole(value: float | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (int(value),)


def _unique(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {kind} entries are called {name!r}")
        seen.add(name)
