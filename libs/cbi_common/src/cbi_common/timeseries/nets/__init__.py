"""Trained nets in NumPy: what trains one and what explains one read the same weights and make the same forecast."""

from __future__ import annotations

from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.nets.sequence import SequenceNetwork

__all__ = ["Net", "Network", "SequenceNetwork", "read_net"]

Net = Network | SequenceNetwork


def read_net(artifact: bytes, *, windows: bool) -> Net:
    """Return a stored net: one that reads windows of sessions, or one that reads a single one."""
    return SequenceNetwork.from_bytes(artifact) if windows else Network.from_bytes(artifact)
