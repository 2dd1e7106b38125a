"""When a message that failed is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass

from cbi_common.core.errors import CbiError, ContractError, TransientError, UsageError


@dataclass(frozen=True)
class Retry:
    """Hand the message back; the bus delivers it again after ``delay_s``."""

    delay_s: float


@dataclass(frozen=True)
class GiveUp:
    """Put the message among the dead letters."""

    reason: str
    alert: bool
    """Whether a person must hear of it."""


@dataclass
class History:
    """How often one message failed in this process."""

    errors: int = 0
    transient: int = 0
    first_transient_s: float | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """Our own schedule; the server's would start a long job again while it still runs.

    A broken contract is given up at once, and so is an order that names what does not exist (a market, a warehouse): no
    retry can mend them, but of the second a person must hear. A `TransientError` is tried again until
    ``transient_total_s`` have passed since its first; anything else as often as ``error_delays_s`` is long.
    """

    transient_delays_s: tuple[float, ...] = (1, 2, 5, 10, 20, 30)
    transient_total_s: float = 900
    error_delays_s: tuple[float, ...] = (1, 5)

    def judge(self, error: Exception, history: History, now_s: float) -> Retry | GiveUp:
        """Return what to do after ``error``, and count it.

        Parameters
        ----------
        error : Exception
            Why the handler failed.
        history : History
            Earlier failures of the same message; updated.
        now_s : float
            Monotonic clock.
        """
        reason = describe(error)
        if isinstance(error, ContractError):
            return GiveUp(reason, alert=False)
        if isinstance(error, UsageError):
            return GiveUp(reason, alert=True)
        if isinstance(error, TransientError):
            return self._transient(reason, history, now_s)
        history.errors += 1
        if history.errors > len(self.error_delays_s):
            return GiveUp(f"{reason} (failed {history.errors} times)", alert=True)
        return Retry(self.error_delays_s[history.errors - 1])

    def _transient(self, reason: str, history: History, now_s: float) -> Retry | GiveUp:
        if history.first_transient_s is None:
            history.first_transient_s = now_s
        waited = now_s - history.first_transient_s
        if waited > self.transient_total_s:
            return GiveUp(f"{reason} (for {waited:.0f} s)", alert=True)
        delay = self.transient_delays_s[min(history.transient, len(self.transient_delays_s) - 1)]
        history.transient += 1
        return Retry(delay)


def describe(error: BaseException) -> str:
    """Return an error on one line; one that is not ours with its class."""
    if isinstance(error, CbiError):
        return error.line()
    return " ".join(f"{type(error).__name__}: {error}".split())
