"""Logs carry their context and no secret; metrics are counted."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from cbi_common.runtime import telemetry
from cbi_common.runtime.settings import Settings


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configure(log_format: str) -> None:
    mail = {
        "smtp_host": "m.org",
        "smtp_from": "a@m.org",
        "smtp_to": "b@m.org",
        "smtp_user": "u",
        "smtp_password": "p0stcode",
    }
    settings = Settings.load(log_format=log_format, **mail).with_bus("nats://h:1", "u", "s3cret")
    telemetry.configure(settings)


def test_a_json_line_carries_the_event_of_its_task_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    log = logging.getLogger("cbi_common.test")

    async def handle(event: str) -> None:
        telemetry.bind(event=event, run=None)
        await asyncio.sleep(0)
        log.info("at work", extra={"model": "ets"})

    async def go() -> None:
        await asyncio.gather(*(asyncio.create_task(handle(name)) for name in ("a", "b")))
        log.info("outside")

    asyncio.run(go())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line.get("event"), line.get("model"), line["message"]) for line in lines] == [
        ("a", "ets", "at work"),
        ("b", "ets", "at work"),
        (None, None, "outside"),
    ]
    assert all("run" not in line and line["level"] == "INFO" for line in lines)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_password_is_never_logged(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure(log_format)
    log = logging.getLogger("cbi_common.test")
    try:
        raise ValueError("nats://u:s3cret@h smtp://u:p0stcode@m")
    except ValueError:
        log.exception("cannot connect with %s", "s3cret", extra={"password": "p0stcode"})
    said = capsys.readouterr().err
    assert "s3cret" not in said
    assert "p0stcode" not in said
    assert "ValueError" in said


def test_third_parties_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console")
    logging.getLogger("uvicorn.error").info("noise")
    assert capsys.readouterr().err == ""
