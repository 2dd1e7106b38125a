"""Each kind of fault: a context that is entered when it strikes and left when it is over.

It may yield an event, which says that it has done all that it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from cbi_common.testing.chaos.faults import clocks, disks, lake, lines, messages, processes
from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault, Kind
from cbi_common.testing.chaos.stage import Stage

Doing = Callable[[Stage, Fault, Publish], AbstractAsyncContextManager[asyncio.Event | None]]

DOING: dict[Kind, Doing] = {
    "kill": processes.kill,
    "torn_write": disks.torn_write,
    "pause": processes.pause,
    "bus_kill": processes.bus_kill,
    "bus_restart": processes.bus_restart,
    "link": lines.link,
    "ack_wait": lines.ack_wait,
    "duplicate": messages.duplicate,
    "reorder": messages.reorder,
    "window": lines.window,
    "slow_disk": disks.slow_disk,
    "full_disk": disks.full_disk,
    "clock": clocks.clock,
    "poison": messages.poison,
    "half_written": lake.half_written,
    "corrupt": lake.corrupt,
}
