"""The one error tree; every message says what was wrong, where, and what to do."""

from __future__ import annotations

_LONGEST = 2_000


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


class CbiError(Exception):
    """Base of every error that a person may read.

    Parameters
    ----------
    what : str
        What was wrong.
    where : str, optional
        Table, file, subject or service it was found in.
    hint : str, optional
        What to do about it.
    """

    exit_code = 5

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self.line())

    def line(self) -> str:
        """Return the message on one line: ``where: what; hint``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        line = " ".join((f"{head}; {self.hint}" if self.hint else head).split())
        # Names of columns and files come from outside: one may hold what a terminal obeys.
        shown = line if line.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in line)
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"


class UsageError(CbiError):
    """The command, setting or argument is wrong (exit code 2)."""

    exit_code = 2


class DataError(CbiError):
    """The data cannot carry a forecast (exit code 3); inside a service it becomes ``data.rejected``."""

    exit_code = 3


class IncompleteError(CbiError):
    """A horizon has no forecast (exit code 4)."""

    exit_code = 4


class InfrastructureError(CbiError):
    """The machine, the bus or the lake does not do its part (exit code 5)."""


class ContractError(CbiError):
    """A message breaks its schema: it is dead-lettered at once, a retry cannot help."""


class TransientError(CbiError):
    """Worth trying again later: the message goes back to the queue with a delay."""


class NotYet(CbiError):
    """What a message asks for is not due: it comes again after ``delay_s``, and that is no failure."""

    def __init__(self, what: str, delay_s: float) -> None:
        super().__init__(what)
        self.delay_s = delay_s


class JobError(CbiError):
    """A child process failed or ran past its limit; the message holds the last line it said."""
