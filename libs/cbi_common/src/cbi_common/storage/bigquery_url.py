"""Where a BigQuery is: what its URL says. Nothing of Google's is imported here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from cbi_common.core.errors import UsageError

RESULTS_DATASET, RESULTS_LABEL = "cbi_results", "results"
"""Default name of the dataset that results are written to, and the value of its label ``cbi``."""

_URL = re.compile(r"bigquery://([a-z][a-z0-9-]{4,28}[a-z0-9])(?:/([A-Za-z0-9_]+))?/?(?:\?(.*))?")
_PARAMETERS = ("endpoint", "storage", "read", "timeout_s", "location")
_SCHEME = "bigquery://"


@dataclass(frozen=True)
class Place:
    """What a URL of BigQuery says: ``bigquery://PROJECT[/DATASET][?endpoint=…&storage=…&read=…&timeout_s=…&location=…]``.

    Attributes
    ----------
    project, dataset : str
        The dataset is empty where the URL names none.
    endpoint, storage : str or None
        REST and gRPC address of an emulator, ``http://HOST:PORT`` and ``HOST:PORT``; nobody logs in there.
    over_rest : bool
        Read over REST, slowly, where the Storage Read API is not permitted.
    timeout_s : float
        How long a call may take, attempts included, before it has failed.
    location : str or None
        Where a dataset is made that does not exist; None leaves it to BigQuery.
    """

    project: str
    dataset: str = ""
    endpoint: str | None = None
    storage: str | None = None
    over_rest: bool = False
    timeout_s: float = 60.0
    location: str | None = None

    @property
    def label(self) -> str:
        """The URL without its parameters."""
        return f"bigquery://{self.project}" + (f"/{self.dataset}" if self.dataset else "")


def parse_place(url: str) -> Place:
    """Return what a URL says.

    Raises
    ------
    UsageError
        When it names no project, or a parameter is wrong.
    """
    named = _URL.fullmatch(url)
    where = f"BigQuery URL {url}"
    if named is None:
        raise UsageError("no project in the URL", where=where, hint="write bigquery://PROJECT")
    found = dict(parse_qsl(named.group(3) or "", keep_blank_values=True))
    unknown = sorted(found.keys() - set(_PARAMETERS))
    if unknown:
        raise UsageError(f"no parameter {unknown[0]!r}", where=where, hint=f"use {', '.join(_PARAMETERS)}")
    endpoint, storage = found.get("endpoint"), found.get("storage")
    if (endpoint is None) != (storage is None):
        hint = "name both, or neither: reads would go to one BigQuery and the rest to another"
        raise UsageError("one address of an emulator", where=where, hint=hint)
    if endpoint is not None and not endpoint.startswith("http://"):
        hint = "an emulator is http://HOST:PORT; Google's own address needs no setting"
        raise UsageError(f"endpoint={endpoint!r} is no emulator", where=where, hint=hint)
    if found.get("read", "storage") not in ("storage", "rest"):
        raise UsageError(f"read={found['read']!r}", where=where, hint="write read=storage or read=rest")
    return Place(
        project=named.group(1),
        dataset=named.group(2) or "",
        endpoint=endpoint,
        storage=storage,
        over_rest=found.get("read") == "rest",
        timeout_s=_seconds(found.get("timeout_s", "60"), where),
        location=found.get("location"),
    )


def is_bigquery(url: object) -> bool:
    """Return whether a URL is one of BigQuery."""
    return isinstance(url, str) and url.startswith(_SCHEME)


def with_dataset(url: str, dataset: str) -> str:
    """Return a URL of BigQuery that names a dataset: its own, or else this one."""
    base, mark, query = url.partition("?")
    project, _, own = base.removeprefix(_SCHEME).partition("/")
    return f"{_SCHEME}{project}/{own.rstrip('/') or dataset}{mark}{query}"


def with_parameters(url: str, **parameters: str | float | None) -> str:
    """Return a URL of BigQuery with parameters that it does not have yet; None leaves one out."""
    base, _, query = url.partition("?")
    given = {name: str(value) for name, value in parameters.items() if value is not None}
    merged = {**given, **dict(parse_qsl(query, keep_blank_values=True))}
    return f"{base}?{urlencode(merged, safe=':/')}" if merged else base


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise UsageError(f"timeout_s={text!r}", where=where, hint="give seconds from 1 to 3600")
    return seconds
