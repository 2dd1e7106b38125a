"""Programs that hold secrets say nothing of them: on stdout, on stderr, in files, at the loudest log level."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings

CBI = str(Path(sys.executable).parent / "cbi")
BUS, MAIL, PAGE = "sentinel-of-the-bus", "sentinel-of-the-mail", "sentinel-of-the-page"
ALL = (BUS, MAIL, PAGE)
UP_S = 60


def environment(folder: Path, **more: str) -> dict[str, str]:
    (folder / "mail").write_text(MAIL + "\n", encoding="utf-8")
    (folder / "page").write_text(PAGE + "\n", encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    return clean | {
        "CBI_LAKE": str(folder / "lake"),
        "CBI_TRACKING": "off",
        "CBI_LOG_LEVEL": "DEBUG",
        "CBI_NATS_USER": "cbi",
        "CBI_NATS_PASSWORD": BUS,
        "CBI_SMTP_HOST": "127.0.0.1",
        "CBI_SMTP_PORT": "1",
        "CBI_SMTP_FROM": "a@example.org",
        "CBI_SMTP_TO": "b@example.org",
        "CBI_SMTP_USER": "mailer",
        "CBI_SMTP_PASSWORD_FILE": str(folder / "mail"),
        "CBI_DASHBOARD_TOKEN_FILE": str(folder / "page"),
        **more,
    }


def told(text: str) -> list[str]:
    return [secret for secret in ALL if secret in text]


@pytest.mark.parametrize(
    "line",
    [("doctor",), ("doctor", "--json"), ("--debug", "status"), ("--debug", "publish", "data.requested", "market=zl")],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_command_tells_no_secret(tmp_path: Path, line: tuple[str, ...], known: bool) -> None:
    async def go() -> str:
        password = BUS if known else "another"
        server = NatsServer(tmp_path / "bus", f'authorization {{ user: "cbi", password: "{password}" }}')
        await server.start()
        try:
            url = server.connected(Settings.load()).nats_url or ""
            env = environment(tmp_path, CBI_NATS_URL=url)
            done = await asyncio.to_thread(
                subprocess.run, [CBI, *line], env=env, capture_output=True, text=True, timeout=200, check=False
            )
        finally:
            await server.stop()
        return done.stdout + done.stderr

    said = asyncio.run(go())
    assert said.strip()
    assert told(said) == []


def test_a_service_at_its_loudest_tells_no_secret_and_leaves_none_behind(tmp_path: Path) -> None:
    async def go() -> str:
        server = NatsServer(tmp_path / "bus", f'authorization {{ user: "cbi", password: "{BUS}" }}')
        await server.start()
        try:
            url = server.connected(Settings.load()).nats_url or ""
            process = await asyncio.create_subprocess_exec(
                *(CBI, "service", "monitor"),
                env=environment(tmp_path, CBI_NATS_URL=url),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            assert process.stdout is not None
            said = b""
            async with asyncio.timeout(UP_S):
                while b"monitor is up" not in said and (line := await process.stdout.readline()):
                    said += line
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(UP_S):
                said += await process.stdout.read()
                await process.wait()
        finally:
            await server.stop()
        return said.decode()

    said = asyncio.run(go())
    assert "monitor is up" in said
    assert told(said) == []
    kept = {
        file.relative_to(tmp_path).as_posix(): file.read_text(errors="replace")
        for file in tmp_path.rglob("*")
        if file.is_file() and file.name not in ("mail", "page")
    }
    assert [name for name, text in kept.items() if told(text)] == ["bus/nats.conf"]
    assert (tmp_path / "bus" / "nats.conf").stat().st_mode & 0o077 == 0
