"""Which versions answer, and what share of the requests each takes: one small file, replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cbi_common.core.errors import InfrastructureError, UsageError

FILE = "routes.json"
VERSIONS = "versions"

Version = Annotated[str, Field(pattern=r"^v-[0-9a-f]{16}$")]


class Routes(BaseModel):
    """Version to its share of the requests, in percent; the shares sum to 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    traffic: dict[Version, Annotated[int, Field(ge=0, le=100)]]

    @model_validator(mode="after")
    def _sums_to_100(self) -> Routes:
        if sum(self.traffic.values()) != 100:
            raise ValueError(f"the shares sum to {sum(self.traffic.values())} percent, not 100")
        return self


def read_routes(folder: Path) -> Routes | None:
    """Return the routes of a serving folder, None before the first promotion.

    Raises
    ------
    InfrastructureError
        When the file is damaged.
    """
    try:
        return Routes.model_validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        said = error.errors(include_input=False)[0]["msg"]
        raise InfrastructureError(said, where=str(folder / FILE), hint="promote or roll back again") from None


def write_routes(folder: Path, traffic: Mapping[str, int]) -> Routes:
    """Replace the routes of a serving folder.

    Raises
    ------
    UsageError
        When the shares do not sum to 100, or a version is not there.
    """
    try:
        routes = Routes(traffic=dict(traffic))
    except ValidationError as error:
        said = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(said, where="traffic", hint="as in v-0123456789abcdef=90 v-fedcba9876543210=10") from None
    for version in routes.traffic:
        if not (folder / VERSIONS / version).is_dir():
            known = ", ".join(sorted(path.name for path in (folder / VERSIONS).glob("v-*"))) or "none"
            raise UsageError(f"no version {version}", where=str(folder), hint=f"there are: {known}")
    temporary = folder / f".{FILE}-{os.getpid()}"
    temporary.write_text(routes.model_dump_json() + "\n", encoding="utf-8")
    os.replace(temporary, folder / FILE)
    return routes
