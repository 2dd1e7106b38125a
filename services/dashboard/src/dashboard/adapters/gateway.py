"""The way out of a container, which is its host."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_ROUTES = Path("/proc/net/route")
_DEFAULT = "00000000"


def default_gateway(routes: Path = _ROUTES) -> str | None:
    """Return the address of this machine's default gateway, None when there is none.

    Parameters
    ----------
    routes : Path
        The kernel's table: a line per route, addresses in hexadecimal and in the machine's own order of bytes.

    Raises
    ------
    OSError
        When the kernel has no such table.
    """
    for line in routes.read_text(encoding="ascii").splitlines()[1:]:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        if (destination, mask) == (_DEFAULT, _DEFAULT) and gateway != _DEFAULT:
            return socket.inet_ntoa(struct.pack("=L", int(gateway, 16)))
    return None
