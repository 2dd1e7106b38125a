"""Where a promotion can go, as the settings say, and `Promoting` at work on the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import UsageError
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.storage.lake import Lake
from promoter.adapters.local_target import LocalTarget
from promoter.domain.vertex import Place
from promoter.promoting import Promoting
from promoter.serving.process import SERVING
from promoter.targets import Target


def target_of(settings: Settings, name: str, share: int) -> Target:
    """Return the target ``name`` (local, vertex) for ``share`` percent of the requests.

    Raises
    ------
    UsageError
        When a setting that it needs is not there.
    """
    if name == "local":
        return LocalTarget(settings.stack_dir / SERVING, share)
    lacking = [n for n in ("vertex_project", "vertex_bucket", "vertex_image") if getattr(settings, n) is None]
    if lacking:
        names = ", ".join(f"CBI_{name.upper()}" for name in lacking)
        raise UsageError(f"not set: {names}", where="target vertex", hint="docs/gates.md says what they mean")
    from promoter.adapters.vertex_target import VertexTarget

    assert settings.vertex_project is not None
    assert settings.vertex_bucket is not None
    assert settings.vertex_image is not None
    place = Place(
        project=settings.vertex_project,
        location=settings.vertex_location,
        bucket=settings.vertex_bucket,
        image=settings.vertex_image,
        machine=settings.vertex_machine,
    )
    return VertexTarget(place, share)


def with_promoting(lake: str | None, work: Callable[[Promoting], Awaitable[Any]], share: int = 100) -> Any:
    """Return what ``work`` returns, done with every target of the settings at hand."""

    async def connected(bus: Bus, settings: Settings) -> Any:
        names = ["local", *(["vertex"] if settings.vertex_project else [])]
        targets = {name: target_of(settings, name, share) for name in names}
        return await work(Promoting(State(bus), Lake(settings.lake), system_clock, bus.publish, targets))

    return on_the_bus(lake, connected)
