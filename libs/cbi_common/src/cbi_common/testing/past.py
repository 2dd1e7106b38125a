"""A past for the pages of the dashboard: stories of many days, with the tables that their events name."""

from __future__ import annotations

import io
import math
import random
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import AS_OF, START, Story
from cbi_common.timeseries.calendar import session_date, session_number

_STEP = 5
_CUTOFFS = 260


def days_of(lake: Lake, days: int, *, simulated: bool = True, models: bool = True) -> list[Envelope[Any]]:
    """Return the events of one run a day, the last one as `Story` tells it, oldest first; deterministic.

    Parameters
    ----------
    lake : Lake
        Gets the track record and the regime's history, which all runs share.
    days : int
    simulated : bool
        Whether the data are.
    models : bool
        Whether each model's result is among them.
    """
    served, history, manifest = _served(lake), _history(lake), _manifest(lake, simulated=simulated)
    events: list[Envelope[Any]] = []
    for day in range(days):
        back = timedelta(days=days - 1 - day)
        story = Story(f"req-{day:04}", START - back, simulated=simulated)
        events += [
            event.model_copy(update={"data": _told(event.data, day, days, served, history, manifest)})
            for event in story.whole()
            if models or event.type != "model.trained"
        ]
    return events


def _told(data: Any, day: int, days: int, served: LakeRef, history: LakeRef, manifest: LakeRef) -> Any:
    as_of = AS_OF - timedelta(days=days - 1 - day)
    named = {"as_of": as_of, "run_id": f"{day:04x}{'ab' * 6}"}
    changed: dict[str, Any] = {name: value for name, value in named.items() if getattr(data, name, None) is not None}
    if isinstance(data, ForecastReady):
        changed |= {"served": served, "manifest": manifest}
    elif isinstance(data, RegimeDetected):
        changed |= {"history": history, "since": as_of - timedelta(days=9), "sessions_in_state": 7}
    elif isinstance(data, ExplanationReady):
        wave = math.sin(day / 9)
        changed["explanations"] = {
            h: e.model_copy(update={
                "groups": {**e.groups, "china": 0.4 * wave, "energy": -0.4 * wave},
                "why": (f"In {h} about where it is.", "Palm pushes, energy pulls.", "No better than no change."),
            })
            for h, e in data.explanations.items()
        }  # fmt: skip
    return data.model_copy(update=changed)


def _served(lake: Lake) -> LakeRef:
    draw = random.Random(7)
    last = session_number(AS_OF)
    rows: list[dict[str, Any]] = []
    sessions = range(last - _STEP * (_CUTOFFS - 1), last + 1, _STEP)
    prices = [49.0]
    for _ in range(_CUTOFFS + 60):
        prices.append(prices[-1] * math.exp(draw.gauss(0, 0.03)))
    prices.reverse()
    for horizon in Horizon:
        for i, session in enumerate(sessions):
            j, sd = i + horizon.sessions // _STEP, 0.015 * math.sqrt(horizon.sessions)
            price, shift = prices[i + 60], draw.gauss(0, 0.005)
            y = math.log(prices[j + 60] / price) if j < _CUTOFFS else math.nan
            rows.append({
                "horizon": str(horizon), "session": session, "cutoff": session_date(session),
                "target_session": session + horizon.sessions, "combiner": "mean", "price": price, "y_hat": shift,
                "y": y, "lower": price * math.exp(shift - 1.65 * sd), "upper": price * math.exp(shift + 1.65 * sd),
                "sd": sd, "n_matured": max(i - 12, 0),
            })  # fmt: skip
    return _stored(lake, "ensemble/past.served", rows)


def _manifest(lake: Lake, *, simulated: bool) -> LakeRef:
    last, draw, price = session_number(AS_OF), random.Random(8), 49.0
    rows: list[dict[str, Any]] = []
    for session in range(last, last - 300, -1):
        rows.append({"session": session, "date": session_date(session), "price": price})
        price *= math.exp(draw.gauss(0, 0.015))
    manifest = RunManifest(
        market="zl", as_of=AS_OF, as_of_session=last, profile="smoke", simulated=simulated,
        datasets={"panel": _stored(lake, "dataset/past.panel", rows[::-1])}, refits=(), cutoff_every=_STEP,
        windows={}, members=(), catalogue_sha256="0" * 64,
    )  # fmt: skip
    return lake.put_json("manifest/past", manifest.model_dump(mode="json"))


def _history(lake: Lake) -> LakeRef:
    last = session_number(AS_OF)
    rows: list[dict[str, Any]] = []
    for session in range(last - 900, last + 1):
        state = list(Regime)[(session // 40) % 4] if session < last - 7 else Regime.NORMAL
        chances = {regime: 0.85 if regime == state else 0.05 for regime in Regime}
        day: date = session_date(session)
        rows.append({"session": session, "date": day, "label": str(state), "state": str(state),
                     **{f"p_{regime}": value for regime, value in chances.items()}})  # fmt: skip
    return _stored(lake, "regime/past.history", rows)


def _stored(lake: Lake, key: str, rows: list[dict[str, Any]]) -> LakeRef:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return lake.put(key, buffer.getvalue())
