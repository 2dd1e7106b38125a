"""The serving process: what it serves and where it listens, from the options or from the platform."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp

import click
import uvicorn

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.runtime.settings import Settings
from promoter.serving.app import create_app
from promoter.serving.newest import Newest
from promoter.serving.router import Router

SERVING = "serving"
"""Folder of what is promoted, beside the bus of a lake."""

_ANYWHERE = "0.0.0.0"  # noqa: S104  # inside a container the platform asks for it


def serve(folder: str | None, port: int, lake: str | None, *, newest: bool = False) -> None:
    """Serve until the process is told to stop.

    Parameters
    ----------
    folder : str or None
        A package; None: what is promoted.
    port : int
    lake : str or None
    newest : bool
        The newest forecast of the lake instead, whether or not it is promoted.

    Raises
    ------
    UsageError
        When there is no such folder, or the platform's port is no number.
    """
    platform = os.environ.get("AIP_HTTP_PORT")
    if platform is not None and not platform.isdigit():
        raise UsageError(f"{platform!r} is no port", where="AIP_HTTP_PORT")
    source = os.environ.get("AIP_STORAGE_URI") or folder
    router: Router | Newest
    if newest:
        router = Newest(Settings.load(lake=lake))
        router.trouble = "the newest forecast is being packed"
    elif source is None:
        place = Settings.load(lake=lake).stack_dir / SERVING
        place.mkdir(parents=True, exist_ok=True)
        router = Router(place)
        router.refresh()
    else:
        router = Router(local_copy(source), single=True)
        router.refresh()
    app = create_app(
        router,
        predict=os.environ.get("AIP_PREDICT_ROUTE", "/predict"),
        health=os.environ.get("AIP_HEALTH_ROUTE", "/health"),
    )
    host = "127.0.0.1" if platform is None else _ANYWHERE
    chosen = port if platform is None else int(platform)
    click.echo(f"http://{host}:{chosen} · {router.traffic or router.trouble}", err=True)
    uvicorn.run(app, host=host, port=chosen, log_level="warning", timeout_graceful_shutdown=10)


def local_copy(source: str) -> Path:
    """Return a folder with the files of a package that lies anywhere fsspec reaches.

    Raises
    ------
    InfrastructureError
        When it cannot be read.
    """
    if "://" not in source:
        if not Path(source).is_dir():
            raise UsageError("no such folder", where=source, hint="`cbi package --to DIR` writes one")
        return Path(source)
    import fsspec

    folder = Path(mkdtemp(prefix="cbi-serving-"))
    try:
        files, root = fsspec.core.url_to_fs(source)
        files.get(root.rstrip("/") + "/", str(folder) + "/", recursive=True)
    except (OSError, ValueError, ImportError) as error:
        raise InfrastructureError(f"cannot be read: {error}", where=source, hint="check AIP_STORAGE_URI") from error
    return folder
