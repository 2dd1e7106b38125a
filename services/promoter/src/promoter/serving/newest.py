"""Serves the newest explained forecast of a lake, promoted or not: what a question of what-if is asked of."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from cbi_common.core.errors import CbiError, TransientError
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.runtime.connection import connect
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake
from promoter.packaging import write_package
from promoter.serving.model import PackagedModel

_log = logging.getLogger(__name__)
_LOOK_S = 5.0


class Newest:
    """One version at a time, taken up when its run has been explained; the former answers until then.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lake = settings, Lake(settings.lake)
        self._loaded: tuple[str, PackagedModel] | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._seen: str | None = None
        self.trouble = "no forecast has been explained yet"

    @property
    def ready(self) -> bool:
        """Whether a request can be answered."""
        return self._loaded is not None

    @property
    def traffic(self) -> dict[str, int]:
        """Version to its share in percent."""
        return {} if self._loaded is None else {self._loaded[0]: 100}

    def choose(self) -> tuple[str, PackagedModel]:
        """Return the version and its models.

        Raises
        ------
        TransientError
            Before anything is loaded.
        """
        if self._loaded is None:
            raise TransientError(self.trouble, where="serving", hint="`cbi run` makes a forecast")
        return self._loaded

    async def follow(self) -> None:
        """Take up newer forecasts for as long as it runs."""
        while True:
            try:
                await self.look()
            except CbiError as error:
                self.trouble = error.line()
                _log.warning("not taken up: %s", self.trouble)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Take up the newest explained forecast, if it is not the one that is served."""
        # Connected only to look: on a lake without a running stack a connection keeps every command out.
        async with connect(self._settings) as bus:
            events = await Journal(bus).events([ExplanationReady.subject])
        explained = [event for event in events if event.data.forecast is not None]
        if not explained or explained[-1].id == self._seen:
            return
        self._seen = explained[-1].id
        await asyncio.to_thread(self._take, explained[-1].data)

    def _take(self, explained: ExplanationReady) -> None:
        assert explained.forecast is not None
        forecast = ForecastReady.model_validate(self._lake.get_json(explained.forecast))
        if forecast.provisional or (self._loaded is not None and self._loaded[0] == forecast.run_id):
            return
        folder = TemporaryDirectory(prefix="cbi-newest-")
        write_package(self._lake, forecast, explained, Path(folder.name))
        self._loaded = forecast.run_id, PackagedModel(Path(folder.name))
        former, self._folder = self._folder, folder
        if former is not None:
            former.cleanup()
