"""The outbox in the shared state, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable

from cbi_common.core.errors import TransientError
from cbi_common.runtime.state import State
from monitor.domain.mail.outbox import Outbox

_KEY = "mail"
_ATTEMPTS = 20


class MailBook:
    """One value for all mails."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def read(self) -> Outbox:
        """Return what is remembered."""
        found = await self._state.get(_KEY)
        return Outbox() if found is None else Outbox.model_validate_json(found)

    async def change(self, step: Callable[[Outbox], Outbox]) -> Outbox:
        """Change it, and return what it is now; ``step`` may be called again when somebody else was faster.

        Raises
        ------
        TransientError
            When others keep changing it in between.
        """
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(_KEY)
            before = Outbox() if entry is None else Outbox.model_validate_json(entry[0])
            after = step(before)
            if after == before:
                return after
            new = after.model_dump_json().encode()
            stored = await (
                self._state.create(_KEY, new) if entry is None else self._state.compare_and_set(_KEY, new, entry[1])
            )
            if stored:
                return after
        raise TransientError("others keep changing it", where=f"state {_KEY}", hint="it is tried again")
