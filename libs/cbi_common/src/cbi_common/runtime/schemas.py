"""The contracts as files: one JSON Schema per event, and AsyncAPI of the installed services.

``python -m cbi_common.runtime.schemas FOLDER`` writes the golden schemas anew, after a change that is meant.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faststream.specification import AsyncAPI
from pydantic import BaseModel

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.manifest import RunManifest
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.service import Kit, Service, discover
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake


def contracts() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every event's data by subject, of the envelope and of the run manifest."""
    models: dict[str, type[BaseModel]] = {"envelope": Envelope[EventData], "run_manifest": RunManifest}
    models.update((cls.subject, cls) for cls in EventData.own())
    return {name: model.model_json_schema() for name, model in sorted(models.items())}


def render(schema: dict[str, Any]) -> str:
    """Return a schema as it is kept in a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write all contracts into ``folder`` and take away what is none of them."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{name}.json": render(schema) for name, schema in contracts().items()}
    for stale in folder.glob("*.json"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def asyncapi(services: Iterable[Service] | None = None) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of ``services``: who listens to what and publishes what.

    Parameters
    ----------
    services : iterable of Service, optional
        None describes all that are installed; none of them needs to run.
    """
    described = installed() if services is None else list(services)
    document: dict[str, Any] = json.loads(
        AsyncAPI(
            *(service.broker for service in described),
            title="CBI",
            version="1",
            description="Events of the price forecasting system.",
        )
        .to_specification()
        .to_json()
    )
    return document


def installed() -> list[Service]:
    """Return every installed service, built but not started."""
    settings = Settings.load()
    kit = Kit(
        settings=settings,
        lake=Lake(settings.lake),
        workers=Workers(settings.worker_slots, settings.job_cpu_limit_s),
        state=State(Bus(settings, "asyncapi")),
        clock=system_clock,
    )
    return [build(kit) for build in discover().values()]


def main(arguments: list[str]) -> None:
    """Write the golden schemas.

    Raises
    ------
    UsageError
        When the folder is missing.
    """
    if len(arguments) != 1:
        raise UsageError("one folder is needed", where="schemas", hint="python -m cbi_common.runtime.schemas FOLDER")
    write(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
