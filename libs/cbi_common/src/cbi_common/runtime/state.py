"""Small shared state (who is champion, how far a run is) in JetStream's key-value store, with compare-and-set."""

from __future__ import annotations

import re

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.streams import STATE, STATE_BUCKET

_SUBJECT = f"$KV.{STATE_BUCKET}."
_KEY = re.compile(r"[-_=a-zA-Z0-9]+([./][-_=a-zA-Z0-9]+)*")


class State:
    """Values by key (letters, digits, ``-_=`` and parts separated by dots); last write wins unless compared.

    Every method raises `TransientError` while the bus is away.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def get(self, key: str) -> bytes | None:
        """Return the value of ``key``, or None when there is none."""
        found = await self.entry(key)
        return None if found is None else found[0]

    async def entry(self, key: str) -> tuple[bytes, int] | None:
        """Return the value and its revision, or None when there is none."""
        check_key(key)
        with unavailable(f"state {key}"):
            try:
                found = await (await self._bucket()).get(key)
            except KeyNotFoundError:
                return None
        return found.value or b"", found.revision or 0

    async def put(self, key: str, value: bytes) -> int:
        """Store ``value`` and return its revision."""
        check_key(key)
        with unavailable(f"state {key}"):
            return await (await self._bucket()).put(key, value)

    async def create(self, key: str, value: bytes) -> bool:
        """Store ``value`` unless ``key`` has one; return whether it was stored."""
        check_key(key)
        with unavailable(f"state {key}"):
            try:
                await (await self._bucket()).create(key, value)
            except KeyWrongLastSequenceError:
                return False
        return True

    async def compare_and_set(self, key: str, value: bytes, revision: int) -> bool:
        """Store ``value`` if the newest revision still is ``revision``; return whether it was stored."""
        check_key(key)
        with unavailable(f"state {key}"):
            try:
                await (await self._bucket()).update(key, value, last=revision)
            except KeyWrongLastSequenceError:
                return False
        return True

    async def keys(self, prefix: str) -> list[str]:
        """Return all keys that begin with ``prefix``, sorted."""
        # Asked of the stream itself: the client's own way is a consumer, which a user must be allowed to make.
        with unavailable(f"state {prefix}"):
            found = (await self._bus.jetstream.stream_info(STATE, subjects_filter=f"{_SUBJECT}>")).state.subjects
        keys = (subject.removeprefix(_SUBJECT) for subject in found or ())
        return sorted(key for key in keys if key.startswith(prefix))

    async def _bucket(self) -> KeyValue:
        return await self._bus.jetstream.key_value(STATE_BUCKET)


def check_key(key: str) -> None:
    """Refuse a key that the store cannot hold.

    Raises
    ------
    InfrastructureError
        When the key has other characters than the store allows.
    """
    if not _KEY.fullmatch(key):
        raise InfrastructureError(f"{key[:80]!r} is not a state key", where="state", hint="report this as a bug")
