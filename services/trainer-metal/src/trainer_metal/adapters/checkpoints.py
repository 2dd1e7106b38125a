"""Checkpoints of the fits of one job in a folder, which may lie on a disk that comes and goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest
from cbi_common.storage.whole_files import write_whole
from trainer_metal.domain.checkpoint import Checkpoint

EVERY_S = 10.0
"""Least time between two checkpoints of a fit: a kill costs this much, and a fit that is shorter writes none."""

KEPT_S = 7 * 86_400.0
"""A checkpoint that nobody came back for in a week is removed."""

_SUFFIX = ".checkpoint"
_UNFINISHED = ".part-"
"""How `write_whole` begins the name of a file that it had no time to finish."""


@dataclass
class Checkpoints:
    """The newest checkpoint of each fit of a job; trouble with the disk is a warning and stops no fit.

    Parameters
    ----------
    folder : Path
        Made when the first checkpoint is written.
    job : str
        Lake key of the job's result: a job that is taken up again finds what it left.
    every_s : float
        Seconds between two checkpoints.

    Attributes
    ----------
    warnings : what a person must know
    """

    folder: Path
    job: str
    every_s: float = EVERY_S
    warnings: list[str] = field(default_factory=list)

    def of_fit(self, identity: Callable[[], str]) -> FitCheckpoints:
        """Return the checkpoints of the job's next fit; the fits before it are stored and need theirs no more.

        ``identity`` returns a digest of all that decides the fit; it is asked only when there is something to find or
        to write, for it costs a pass over the rows.
        """
        return FitCheckpoints(self, identity)

    def clear(self) -> None:
        """Remove the job's checkpoints, and those of others that are a week old."""
        with suppress(OSError):  # the disk is gone
            for path in [*self.folder.glob(f"*{_SUFFIX}"), *self.folder.glob(f"{_UNFINISHED}*")]:
                with suppress(FileNotFoundError):  # another job has removed it
                    if path.name.startswith(self.prefix) or time.time() - path.stat().st_mtime > KEPT_S:
                        path.unlink()

    @property
    def prefix(self) -> str:
        """How the names of the job's checkpoints begin."""
        return digest(self.job)[:16]

    def own(self) -> list[Path]:
        """Return the job's checkpoints."""
        return sorted(self.folder.glob(f"{self.prefix}-*{_SUFFIX}"))

    def path(self, identity: str) -> Path:
        """Return where the checkpoint of one fit lies."""
        return self.folder / f"{self.prefix}-{identity[:32]}{_SUFFIX}"


class FitCheckpoints:
    """Saves one fit, not oftener than the job allows, and finds where it was.

    Parameters
    ----------
    job : Checkpoints
    identity : function that returns a digest of all that decides the fit
    """

    def __init__(self, job: Checkpoints, identity: Callable[[], str]) -> None:
        self._job, self._identity = job, identity
        self._saved_at = time.monotonic()
        self._path: Path | None = None
        self._works = True

    def load(self) -> Checkpoint | None:
        """Return where the fit was, or None; one that is damaged is removed with a warning.

        Checkpoints of the job's other fits are removed: a job fits one after the other and stores each.
        """
        try:
            found = self._only_own()
            return None if found is None else Checkpoint.from_bytes(found.read_bytes())
        except (OSError, DataError) as error:
            self._warn(f"a checkpoint is not used, the fit begins anew: {error}")
            with suppress(OSError):
                self._wanted().unlink()
            return None

    def save(self, epochs: int, arrays: Callable[[], Sequence[NDArray[Any]]]) -> None:
        """Save the end of an epoch when the last checkpoint is old enough."""
        if not self._works or time.monotonic() - self._saved_at < self._job.every_s:
            return
        try:
            write_whole(str(self._wanted()), Checkpoint(epochs, tuple(arrays())).to_bytes())
        except OSError as error:
            self._works = False
            self._warn(f"this fit is not checkpointed: {error.strerror or error}")
        self._saved_at = time.monotonic()

    def _only_own(self) -> Path | None:
        found = self._job.own()
        for path in found:
            if path != self._wanted():
                path.unlink(missing_ok=True)
        return self._wanted() if self._wanted() in found else None

    def _wanted(self) -> Path:
        if self._path is None:
            self._path = self._job.path(self._identity())
        return self._path

    def _warn(self, what: str) -> None:
        told = f"checkpoints in {self._job.folder}: {what}; see CBI_CHECKPOINTS"
        if told not in self._job.warnings:
            self._job.warnings.append(told)
