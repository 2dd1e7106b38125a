"""Versions in memory behind one address; a change of routes is taken up between two requests."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cbi_common.core.errors import CbiError, TransientError
from promoter.serving.model import PackagedModel
from promoter.serving.routes import VERSIONS, read_routes

_log = logging.getLogger(__name__)
_LOOK_S = 0.5


@dataclass(frozen=True)
class _Loaded:
    models: Mapping[str, PackagedModel]
    shares: Mapping[str, int]


class Router:
    """Chooses a version for each request.

    Parameters
    ----------
    folder : Path
        Serving folder, or with ``single`` one package.
    single : bool
        Serve the package in ``folder`` under its run id and nothing else.
    seed : int or None
        Of the choice; None draws one.
    """

    def __init__(self, folder: Path, *, single: bool = False, seed: int | None = None) -> None:
        self._folder, self._single, self._rng = folder, single, random.Random(seed)  # noqa: S311  # a share, no secret
        self._loaded: _Loaded | None = None
        self.trouble = "nothing has been promoted yet"

    @property
    def ready(self) -> bool:
        """Whether a request can be answered."""
        return self._loaded is not None

    @property
    def traffic(self) -> dict[str, int]:
        """Version to its share in percent, as it is answered now."""
        return {} if self._loaded is None else dict(self._loaded.shares)

    def choose(self) -> tuple[str, PackagedModel]:
        """Return a version and its models.

        Raises
        ------
        TransientError
            Before anything is loaded.
        """
        loaded = self._loaded
        if loaded is None:
            raise TransientError(self.trouble, where="serving", hint="`cbi promote` puts a package there")
        versions = list(loaded.shares)
        (version,) = self._rng.choices(versions, weights=[loaded.shares[v] for v in versions])
        return version, loaded.models[version]

    def refresh(self) -> None:
        """Load what the routes name; whatever was loaded before answers until that is done, or if it fails."""
        try:
            loaded = self._one() if self._single else self._routed()
        except CbiError as error:
            self.trouble = error.line()
            _log.error("not taken up: %s", self.trouble)
            return
        if loaded is not None:
            self._loaded = loaded

    async def follow(self) -> None:
        """Take up changes of the routes for as long as it runs."""
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(_LOOK_S)

    def _one(self) -> _Loaded | None:
        if self._loaded is not None:
            return None
        model = PackagedModel(self._folder)
        return _Loaded({model.package.run_id: model}, {model.package.run_id: 100})

    def _routed(self) -> _Loaded | None:
        routes = read_routes(self._folder)
        shares = {} if routes is None else {version: share for version, share in routes.traffic.items() if share}
        if not shares or (self._loaded is not None and shares == dict(self._loaded.shares)):
            return None
        known = {} if self._loaded is None else self._loaded.models
        return _Loaded({v: known.get(v) or PackagedModel(self._folder / VERSIONS / v) for v in shares}, shares)
