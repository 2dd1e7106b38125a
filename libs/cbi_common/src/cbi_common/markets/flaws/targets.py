"""Flaws of a training table's targets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cbi_common.core.horizon import Horizon
from cbi_common.markets.flaws.spoiled import RUN, Array, Place, Spoiled, put, values


def filled_before_outcome(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Fill targets whose outcome is not known yet (place: target, price): one, half of them, or all of them."""
    target, price = (values(table, column) for column in place.columns)
    unknown = np.flatnonzero(np.isnan(target))
    filled = unknown[: {1: 1, 2: (len(unknown) + 1) // 2, 3: len(unknown)}[intensity]]
    target[filled] = price[filled]
    return Spoiled(put(table, place.column, target), (place.column,), len(filled))


def frozen_target(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Repeat the last target to the end of the table."""
    target = values(table, place.column)
    last = int(np.flatnonzero(~np.isnan(target))[-1])
    target[last - RUN[intensity] :] = target[last - RUN[intensity]]
    return Spoiled(put(table, place.column, target), (place.column,))


def other_targets(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Leave targets of one, two or three other horizons among the columns (place: target, price)."""
    price, names = values(table, place.columns[1]), []
    others = [horizon for horizon in Horizon if f"target_{horizon}" != place.column]
    for horizon in others[:intensity]:
        later = np.full(len(price), np.nan)
        later[: -horizon.sessions] = price[horizon.sessions :]
        names.append(f"target_{horizon}")
        table = put(table, names[-1], later)
    return Spoiled(table, tuple(names))


def hidden_targets(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Leave targets among the columns under names that do not say so (place: target, price)."""
    price = values(table, place.columns[1])
    names = ("expert_view", "fair_value", "trend_extrapolated")[:intensity]
    for name, horizon in zip(names, (Horizon.W1, Horizon.M1, Horizon.M3), strict=False):
        later = np.full(len(price), np.nan)
        later[: -horizon.sessions] = price[horizon.sessions :]
        table = put(table, name, later)
    return Spoiled(table, names)


def other_unit(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """State the target in $/lb, in $/t, or as a return (place: target, price)."""
    target, price = (values(table, column) for column in place.columns)
    changed: dict[int, Array] = {1: target / 100, 2: target * 22.046226, 3: target / price - 1}
    return Spoiled(put(table, place.column, changed[intensity]), (place.column,))
