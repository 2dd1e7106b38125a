"""What a package is called on Vertex AI, and what serving it costs."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cbi_common.core.errors import UsageError

_HOURS_A_MONTH = 730
_LABEL = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True)
class Place:
    """Where on Vertex AI.

    Attributes
    ----------
    project, location, bucket : names
    image : container image with `cbi serve`
    machine : type of the node
    """

    project: str
    location: str
    bucket: str
    image: str
    machine: str = "n1-standard-2"

    @property
    def parent(self) -> str:
        """Resource name of the location."""
        return f"projects/{self.project}/locations/{self.location}"


def model_id(market: str, simulated: bool) -> str:
    """Return the id of the model, and of the endpoint: one per market and world, whose versions follow each other.

    >>> model_id("zl", False), model_id("zl", True)
    ('cbi-zl', 'cbi-zl-simulated')
    """
    return f"cbi-{market.replace('_', '-')}{'-simulated' if simulated else ''}"


def labels(raw: dict[str, str]) -> dict[str, str]:
    """Return labels as Vertex AI takes them: lower case, 63 characters.

    >>> labels({"As-Of": "2025-05-16", "run": "A" * 70})["run"] == "a" * 63
    True
    """
    return {_LABEL.sub("-", k.lower())[:63]: _LABEL.sub("-", v.lower())[:63] for k, v in sorted(raw.items())}


@cache
def _costs() -> tuple[str, dict[str, float]]:
    raw = tomllib.loads(files("promoter").joinpath("vertex_costs.toml").read_text(encoding="utf-8"))
    return raw["as_of"], raw["machines"]


def node_cost(machine: str) -> str:
    """Return what a node costs, as an estimate with its date.

    Raises
    ------
    UsageError
        For a machine of which no price is known.
    """
    as_of, machines = _costs()
    if machine not in machines:
        raise UsageError(f"no price of {machine}", where="CBI_VERTEX_MACHINE", hint=f"known are {', '.join(machines)}")
    hour = machines[machine]
    return f"about ${hour:.2f} an hour, ${hour * _HOURS_A_MONTH:.0f} a month while it runs (list price of {as_of})"
