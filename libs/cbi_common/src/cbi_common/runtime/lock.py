"""Who works on a lake's stack: one process at a time, and where others find its bus."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime.settings import Settings


@dataclass(frozen=True)
class Address:
    """Where a running stack's bus is."""

    pid: int
    url: str
    user: str
    password: str


class StackLock:
    """Exclusive right to the stack folder; the operating system gives it back when the holder dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock")

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        Raises
        ------
        InfrastructureError
            When the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise InfrastructureError(
                f"cannot write: {error.strerror or error}", where=str(self._folder), hint="use another --lake DIR"
            ) from error
        self._stack_file.unlink(missing_ok=True)  # left by a holder that was killed
        return True

    @classmethod
    def held(cls, folder: Path) -> bool:
        """Return whether somebody works there now."""
        lock = cls(folder)
        if lock.try_acquire():
            lock.release()
            return False
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._stack_file.unlink(missing_ok=True)
        self._lock.release()

    def announce(self, settings: Settings) -> None:
        """Tell other processes of this user where the bus of ``settings`` is."""
        assert settings.nats_url is not None
        assert settings.nats_user is not None
        assert settings.nats_password is not None
        password = settings.nats_password.get_secret_value()
        address = Address(os.getpid(), settings.nats_url, settings.nats_user, password)
        temporary = self._folder / f".stack-{os.getpid()}"
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(address), file)
        os.replace(temporary, self._stack_file)

    def address(self) -> Address | None:
        """Return where the running stack's bus is, or None when no stack has announced itself."""
        try:
            return Address(**json.loads(self._stack_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def _stack_file(self) -> Path:
        return self._folder / "stack.json"


def occupied(lock: StackLock, settings: Settings) -> InfrastructureError:
    """Return the error that says who holds the lock."""
    address = lock.address()
    who = f"process {address.pid}" if address else "another cbi command"
    hint = f"wait for it, stop it (kill {address.pid}) or use another --lake" if address else "try again in a moment"
    return InfrastructureError(f"{who} is at work on it", where=f"lake {settings.lake}", hint=hint)
