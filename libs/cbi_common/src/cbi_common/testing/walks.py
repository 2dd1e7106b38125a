"""Builders for tests of walk-forward: small datasets, manifests, and a learner that nothing escapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import Member, Refit, RunManifest, ScoredWindow
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.timeseries.dataset import Dataset, Floats

FIRST_DAY = date(2009, 6, 1)
"""Early enough that the sessions reach over the border of two eras."""


def random_dataset(n: int = 600, columns: int = 4, seed: int = 0, gaps: Sequence[int] = ()) -> Dataset:
    """Return sessions 0 to n - 1 without ``gaps``: a random walk, features that lead it a little, some NaN."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, columns))
    price = 50 * np.exp(np.cumsum(0.004 * np.roll(features[:, 0], 1) + rng.normal(0, 0.012, n)))
    if columns > 1:
        features[: n // 3, 1] = np.nan
    keep = np.setdiff1d(np.arange(n), gaps)
    return Dataset(
        sessions=keep.astype(np.int64),
        dates=np.datetime64(FIRST_DAY) + keep,
        price=price[keep],
        features=features[keep],
        names=tuple(f"x{i}" for i in range(columns)),
    )


def poisoned(data: Dataset, after: int, how: str, seed: int = 99) -> Dataset:
    """Return the dataset with all rows after session ``after`` replaced by noise (``noise``) or gone (``delete``).

    ``append`` adds rows of noise at the end instead.
    """
    rng = np.random.default_rng(seed)
    if how == "delete":
        return data.until(after)
    later = data.sessions > after
    if how == "noise":
        features, price = data.features.copy(), data.price.copy()
        features[later] = rng.normal(size=(int(later.sum()), len(data.names)))
        price[later] = rng.uniform(10, 90, int(later.sum()))
        return replace(data, features=features, price=price)
    more = 50
    return replace(
        data,
        sessions=np.concatenate([data.sessions, data.sessions[-1] + 1 + np.arange(more)]),
        dates=np.concatenate([data.dates, data.dates[-1] + 1 + np.arange(more)]),
        price=np.concatenate([data.price, rng.uniform(10, 90, more)]),
        features=np.vstack([data.features, rng.normal(size=(more, len(data.names)))]),
    )


def put_dataset(lake: Lake, data: Dataset) -> LakeRef:
    """Store a dataset as ingest does."""
    columns = {"session": pa.array(data.sessions), "date": pa.array(data.dates), "price": pa.array(data.price)}
    columns |= {name: pa.array(data.features[:, i]) for i, name in enumerate(data.names)}
    return put_table(lake, f"dataset/{data.digests([int(data.sessions[-1])])[0]}", pa.table(columns))


def grid_refits(data: Dataset, models: tuple[str, ...], every: int = 63, first: int = 252) -> tuple[Refit, ...]:
    """Return refits on a grid of sessions."""
    grid = range(first, int(data.sessions[-1]) + 1, every)
    return tuple(Refit(date=_day(s), session=s, model_ids=models, cause="grid") for s in grid)


def make_manifest(
    lake: Lake, data: Dataset, models: tuple[str, ...] = ("drift",), refits: tuple[Refit, ...] | None = None
) -> tuple[RunManifest, LakeRef]:
    """Return a stored manifest of a run over ``data`` and its claim check; windows are as long as the data allow."""
    last = int(data.sessions[-1])
    windows = {h: ScoredWindow(burn_in_start=270, start=300, end=(last - h.sessions) // 5 * 5) for h in Horizon}
    manifest = RunManifest(
        market="zl",
        as_of=_day(last),
        as_of_session=last,
        profile="smoke",
        simulated=True,
        datasets={"full": put_dataset(lake, data)},
        refits=grid_refits(data, models) if refits is None else refits,
        cutoff_every=5,
        windows=windows,
        members=tuple(Member(model_id=m, horizon=h) for m in models for h in load_catalogue().model(m).horizons),
        catalogue_sha256=load_catalogue().sha256,
    )
    return manifest, lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))


@dataclass(frozen=True)
class HashLearner:
    """A learner whose forecast changes with every value that it is shown, so no leak can hide in a rounding.

    ``fits`` and ``forecasts`` record the last session of what it was shown.
    """

    name: str = "drift"
    fits: list[int] = field(default_factory=list, compare=False)
    forecasts: list[int] = field(default_factory=list, compare=False)
    trains: list[Dataset] = field(default_factory=list, compare=False)
    views: list[Dataset] = field(default_factory=list, compare=False)

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Return a digest of all arguments and of every label."""
        self.fits.append(int(train.sessions[-1]))
        self.trains.append(train)
        labels = [sha256_hex(train.targets(h).tobytes()) for h in horizons]
        shown = digest(_all_of(train), labels, dict(params), sha256_hex(weights.tobytes()), seed)
        return f"{shown} {len(horizons)}".encode()

    def load(self, artifact: bytes) -> tuple[str, int]:
        """Return the digest and the number of horizons."""
        shown, heads = artifact.decode().split()
        return shown, int(heads)

    def forecast(self, model: tuple[str, int], view: Dataset) -> Floats:
        """Return numbers in (-0.1, 0.1) drawn from a digest of the model and the view."""
        self.forecasts.append(int(view.sessions[-1]))
        self.views.append(view)
        seed = int(digest(model[0], _all_of(view))[:15], 16)
        return np.random.default_rng(seed).uniform(-0.1, 0.1, model[1])


def _all_of(data: Dataset) -> str:
    return data.digests([int(data.sessions[-1])])[0]


def _day(session: int) -> date:
    return FIRST_DAY + timedelta(days=session)
