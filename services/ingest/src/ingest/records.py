"""What the recorder does in a child process or a thread."""

from __future__ import annotations

import json
from typing import Any

from cbi_common.events.base import Envelope, EventData
from cbi_common.storage.lake import Lake
from cbi_common.storage.result_rows import rows_of
from cbi_common.storage.results import open_results


def record(arg: dict[str, Any]) -> dict[str, Any]:
    """Append the rows of an event to the results, unless they are there.

    Parameters
    ----------
    arg : dict
        ``results`` and ``lake`` (URLs), ``event`` (an envelope as JSON).

    Returns
    -------
    dict
        ``kind`` and ``rows`` of the event.

    Raises
    ------
    InfrastructureError, TransientError
        When the store refuses or does not answer.
    """
    cls = EventData.for_subject(arg["event"]["type"])
    event = Envelope[cls].model_validate(arg["event"])  # type: ignore[valid-type]
    kind, rows = rows_of(event, _simulated(Lake(arg["lake"]), getattr(event.data, "run_id", None)))
    open_results(arg["results"]).record(kind, event.id, rows)
    return {"kind": kind.name, "rows": rows.num_rows}


def _simulated(lake: Lake, run_id: str | None) -> bool | None:
    """Return what the run's manifest says: no result of a simulated market goes unmarked."""
    raw = None if run_id is None else lake.get_if_intact(f"manifest/{run_id}")
    return None if raw is None else bool(json.loads(raw)["simulated"])
