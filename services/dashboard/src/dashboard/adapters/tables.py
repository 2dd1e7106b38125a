"""Tables out of the lake, as the pages need them; read once each, because what a digest names never changes."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pyarrow as pa

from cbi_common.core.errors import InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.responses import responses
from cbi_common.procurement.month import month_of
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.calendar import session_date
from dashboard.domain.months import Months
from dashboard.domain.track import RegimeHistory, Track

T = TypeVar("T")

_KEPT = 8
_SERVED = ["horizon", "cutoff", "target_session", "price", "y_hat", "y", "lower", "upper"]


class Tables:
    """Reads in a thread, so that the bus and other pages go on."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._kept: OrderedDict[str, object] = OrderedDict()

    async def tracks(self, served: LakeRef) -> dict[Horizon, Track]:
        """Return the track of every horizon of a forecast.

        Raises
        ------
        InfrastructureError
            When the table is missing, damaged, or of another version.
        """
        return await self._once(served, _tracks)

    async def regimes(self, history: LakeRef) -> RegimeHistory:
        """Return the states of the market as they were called.

        Raises
        ------
        InfrastructureError
            When the table is missing, damaged, or of another version.
        """
        return await self._once(history, _regimes)

    async def months(self, manifest: LakeRef) -> Months:
        """Return what the months of a run's market cost.

        Raises
        ------
        InfrastructureError
            When an object is missing, damaged, or of another version.
        """
        if manifest.sha256 not in self._kept:
            self._keep(manifest, await asyncio.to_thread(_months, self._lake, manifest))
        return cast("Months", self._kept[manifest.sha256])

    async def _once(self, ref: LakeRef, read: Callable[[pa.Table], T]) -> T:
        if ref.sha256 not in self._kept:
            self._keep(ref, await asyncio.to_thread(self._read, ref, read))
        return cast("T", self._kept[ref.sha256])

    def _keep(self, ref: LakeRef, found: object) -> None:
        self._kept[ref.sha256] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _read(self, ref: LakeRef, read: Callable[[pa.Table], T]) -> T:
        table = get_table(self._lake, ref)
        try:
            return read(table)
        except (KeyError, ValueError) as error:
            what = f"it has other columns than this version reads ({error})"
            raise InfrastructureError(what, where=f"lake {ref.key}", hint="run again with this version") from error


def _months(lake: Lake, ref: LakeRef) -> Months:
    manifest = RunManifest.model_validate(lake.get_json(ref))
    panel = get_table(lake, manifest.datasets["panel"])
    spot: dict[str, float] = {}
    rows: list[dict[str, Any]] = panel.select(["date", "price"]).to_pylist()
    for day, price in ((row["date"], row["price"]) for row in rows):
        if day <= manifest.as_of:
            spot.setdefault(month_of(day), price)
    market = market_of(lake, manifest)
    return Months(market.lot_size, spot, tuple(sorted(responses(market))))


def _tracks(table: pa.Table) -> dict[Horizon, Track]:
    by_horizon: dict[Horizon, list[dict[str, Any]]] = {}
    for row in table.select(_SERVED).to_pylist():
        by_horizon.setdefault(Horizon(row["horizon"]), []).append(row)
    return {horizon: _track(horizon, by_horizon[horizon]) for horizon in Horizon if horizon in by_horizon}


def _track(horizon: Horizon, rows: list[dict[str, Any]]) -> Track:
    return Track(
        horizon=horizon,
        cutoffs=tuple(row["cutoff"] for row in rows),
        targets=tuple(session_date(row["target_session"]) for row in rows),
        price=tuple(row["price"] for row in rows),
        forecast=tuple(row["price"] * math.exp(row["y_hat"]) for row in rows),
        actual=tuple(row["price"] * math.exp(_known(row["y"])) for row in rows),
        lower=tuple(_known(row["lower"]) for row in rows),
        upper=tuple(_known(row["upper"]) for row in rows),
    )


def _regimes(table: pa.Table) -> RegimeHistory:
    rows: list[dict[str, Any]] = table.to_pylist()
    return RegimeHistory(
        days=tuple(row["date"] for row in rows),
        states=tuple(Regime(row["state"]) for row in rows),
        chances={regime: tuple(_known(row[f"p_{regime}"]) for row in rows) for regime in Regime},
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value
