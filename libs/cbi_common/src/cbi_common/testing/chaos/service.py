"""`cbi service` with a clock that can be set: ``python -m cbi_common.testing.chaos.service NAME CLOCK``.

The product asks one object for the time (core/clock.py), so setting that one sets the service's. A library in front of
the C library would reach more, but Python's ``time.sleep`` fails behind libfaketime 0.9.10.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from cbi_common.core.clock import system_clock
from cbi_common.runtime import telemetry
from cbi_common.runtime.service import Kit, Service, discover
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.standalone import serve


class FileClock:
    """The true time and as many seconds as a file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> datetime:
        """Return the time."""
        return system_clock() + timedelta(seconds=float(self._path.read_text(encoding="ascii")))


def main(name: str, clock: Path) -> None:
    """Run a service until it is told to stop."""
    settings = Settings.load()
    telemetry.configure(settings)
    build = discover([name])[name]

    def built(kit: Kit) -> Service:
        return build(replace(kit, clock=FileClock(clock)))

    asyncio.run(serve(name, built, settings))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
