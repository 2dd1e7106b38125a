"""How many requests one client may make."""

from __future__ import annotations

from collections import OrderedDict


class Buckets:
    """A bucket of tokens for each client, filled at a steady rate; a request takes one (RFC 2697's idea).

    Parameters
    ----------
    rate : float
        Tokens a second.
    burst : float
        Tokens that a bucket holds.
    clients : int
        Buckets that are kept: the ones that were asked for longest ago go first.
    """

    def __init__(self, rate: float, burst: float, clients: int = 10_000) -> None:
        self._rate, self._burst, self._clients = rate, burst, clients
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float) -> float:
        """Take a token; return 0, or after how many seconds there will be one.

        >>> buckets = Buckets(rate=2, burst=1)
        >>> buckets.take("a", now=0.0), buckets.take("a", now=0.0), buckets.take("a", now=0.5)
        (0.0, 0.5, 0.0)
        """
        left, then = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[client] = (left if wait else left - 1, now)
        while len(self._left) > self._clients:
            self._left.popitem(last=False)
        return wait
