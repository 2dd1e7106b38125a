"""Predictions of somebody who knows as little as no-change, for whatever compares a candidate with a benchmark."""

from __future__ import annotations

from datetime import UTC, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.core.horizon import Horizon
from cbi_common.markets.spec import SeriesSpec
from cbi_common.timeseries.calendar import session_date, session_numbers

BENCHMARK = "bqml.predictions"


def predictions(closes: pa.Table, spec: SeriesSpec, noise: float, seed: int) -> pa.Table:
    """Return one prediction per horizon and session: the day's close, off by a lognormal factor of ``noise``.

    Parameters
    ----------
    closes : pa.Table
        The table that ``spec`` reads the price from.
    noise : float >= 0
        Standard deviation of the log.
    seed : int
        The factor of a session follows from it and stays when sessions are added.
    """
    kept = closes
    for column, values in spec.where.items():
        kept = kept.filter(pc.is_in(kept[column], value_set=pa.array(values)))
    days = pc.cast(kept[spec.date], pa.date32()).to_numpy().astype("datetime64[D]")
    order = np.argsort(days, kind="stable")
    days, price = days[order], kept[spec.value].to_numpy().astype(np.float64)[order]
    sessions, _ = session_numbers(days)
    rows = []
    for horizon in Horizon:
        factor = np.exp(noise * np.random.default_rng([seed, horizon.sessions]).standard_normal(len(days)))
        rows += [
            {
                "horizon": str(horizon),
                "cutoff": day,
                "target": session_date(int(session) + horizon.sessions),
                "predicted_price": round(float(p * f), 4),
                "made_at": datetime.combine(day, time(23), UTC),
            }
            for day, session, p, f in zip(days.tolist(), sessions, price, factor, strict=True)
        ]
    return pa.Table.from_pylist(rows)
