"""Serving on this machine: versions in a folder, and routes that `cbi serve` follows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cbi_common.core.errors import InfrastructureError
from promoter.domain.champion import Serving
from promoter.domain.promotion import Facts, PlannedStep, Promotion
from promoter.domain.traffic import shrunk
from promoter.serving.model import PackagedModel
from promoter.serving.routes import VERSIONS, read_routes, write_routes

TOLERANCE = 1e-6
"""Of a price: what is served must be what was judged."""


class LocalTarget:
    """A folder that `cbi serve` serves from.

    Parameters
    ----------
    folder : Path
    share : int
        Percent of the requests that a new version takes; the rest stays with those that serve already.
    """

    name = "local"

    def __init__(self, folder: Path, share: int = 100) -> None:
        self._folder, self._share = folder, share

    def plan(self, promotion: Promotion) -> Sequence[PlannedStep]:
        """Return the steps; none of them costs anything."""
        return (
            PlannedStep(name="store", says=f"put the package into {self._folder / VERSIONS / promotion.version}"),
            PlannedStep(name="check", says="load it and compare every forecast with the one that was judged"),
            PlannedStep(name="route", says=f"send {self._share} % of the requests to {promotion.version}"),
        )

    def perform(self, step: str, promotion: Promotion, folder: Path) -> Facts:
        """Do one step; each looks first what is there."""
        if step == "store":
            return self._store(promotion.version, folder)
        if step == "check":
            return check(self._folder / VERSIONS / promotion.version)
        if step == "route":
            return self._route(promotion.version, self._share)
        raise InfrastructureError(f"no step {step!r}", where="target local", hint="report this as a bug")

    def activate(self, serving: Serving, market: str, *, simulated: bool) -> None:
        """Send all requests to a version."""
        del market, simulated  # a lake's serving folder is of one
        self._route(serving.version, 100)

    def retire(self, promotion: Promotion) -> None:
        """Take the version's files away, unless requests go to it."""
        routes = read_routes(self._folder)
        if routes is None or not routes.traffic.get(promotion.version):
            shutil.rmtree(self._folder / VERSIONS / promotion.version, ignore_errors=True)

    def split(self, traffic: dict[str, int]) -> None:
        """Share the requests between versions, in percent."""
        write_routes(self._folder, traffic)

    def _store(self, version: str, folder: Path) -> Facts:
        place = self._folder / VERSIONS / version
        if not place.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            half = place.parent / f".{version}-{os.getpid()}"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(folder, half)
            try:
                os.rename(half, place)
            except OSError:  # somebody else was as quick; the content is the same
                shutil.rmtree(half, ignore_errors=True)
                if not place.is_dir():
                    raise
        return {"folder": f"{VERSIONS}/{version}"}

    def _route(self, version: str, share: int) -> Facts:
        routes = read_routes(self._folder)
        others = {} if routes is None else {v: s for v, s in routes.traffic.items() if s and v != version}
        if share == 100 or not others:
            traffic = {version: 100}
        else:
            rest = shrunk(others, 100 - share)
            traffic = {**rest, version: 100 - sum(rest.values())}
        write_routes(self._folder, traffic)
        return {"traffic": ", ".join(f"{v} {s} %" for v, s in sorted(traffic.items()))}


def check(folder: Path) -> dict[str, str]:
    """Load a package and compare every forecast with the one that it says was judged.

    Raises
    ------
    InfrastructureError
        When one differs.
    """
    model = PackagedModel(folder)
    worst = 0.0
    for horizon, stored in model.package.horizons.items():
        said = model.forecast(horizon)
        apart = max(abs(getattr(said, name) - getattr(stored, name)) for name in ("point", "lower_90", "upper_90"))
        if not apart <= TOLERANCE or not np.isfinite(apart):
            raise InfrastructureError(
                f"served it says {said.point:.9g} and not {stored.point:.9g}", where=f"package at {horizon}",
                hint="this machine computes otherwise than the one that trained: train here",
            )  # fmt: skip
        worst = max(worst, apart)
    return {"largest_difference": f"{worst:.3g}"}
