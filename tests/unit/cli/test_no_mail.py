"""A pass and a replay that somebody watches write no mail and keep no schedules, whatever the settings say."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cbi_common.runtime.commands import one_pass, replaying
from cbi_common.runtime.settings import Settings


class Started(Exception):
    """Ends the command where it would start the stack."""

    def __init__(self, settings: Settings, **_others: Any) -> None:
        self.settings = settings
        super().__init__("started")


def refuse(settings: Settings, **others: Any) -> None:
    raise Started(settings, **others)


@pytest.mark.parametrize("command", ["run", "replay"])
def test_nothing_is_mailed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    settings = Settings(
        warehouse="simulated?sessions=1500", lake=str(tmp_path), schedules=True, smtp_host="mail.example.com",
        smtp_from="cbi@example.com", smtp_to=("chris@example.com",),
    )  # fmt: skip
    if command == "run":
        monkeypatch.setattr(one_pass, "Stack", refuse)
        going = one_pass.make_pass(one_pass.Request(settings, "smoke", None))
    else:
        monkeypatch.setattr(replaying, "Stack", refuse)
        asked = replaying.ReplayRequest(settings, "smoke", date(2024, 6, 3), date(2024, 6, 10), "1w", 5)
        going = replaying.replay(asked)  # type: ignore[assignment]
    with pytest.raises(Started) as started:
        asyncio.run(going)
    assert (started.value.settings.smtp_host, started.value.settings.schedules) == (None, False)
