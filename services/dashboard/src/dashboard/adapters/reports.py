"""The gate's full report, out of the lake."""

from __future__ import annotations

from pydantic import ValidationError

from cbi_common.core.errors import InfrastructureError
from cbi_common.storage.lake import Lake
from dashboard.domain import view
from dashboard.domain.answers import QualityAnswer


def in_full(lake: Lake, answer: QualityAnswer) -> QualityAnswer:
    """Return the answer with every finding of the full report; when that cannot be read, the note says so."""
    if answer.report is None:
        return answer
    try:
        return view.in_full(answer, lake.get_json(answer.report))
    except InfrastructureError as error:
        note = error.line()
    except (ValidationError, KeyError):
        note = f"lake {answer.report.key}: the report was written by another version; export the data again"
    return answer.model_copy(update={"note": note})
