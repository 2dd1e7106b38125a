"""Refits off the grid from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.runtime.commands.refits import read_refits
from cbi_common.timeseries.calendar import session_date

GOOD = {"date": session_date(6000).isoformat(), "session": 6000, "model_ids": ["ridge"], "cause": "an-event"}


def written(folder: Path, value: Any) -> str:
    file = folder / "refits.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(file)


def test_refits_are_read_as_they_were_written(tmp_path: Path) -> None:
    (found,) = read_refits(written(tmp_path, [GOOD]))
    assert found.model_dump(mode="json") == GOOD
    assert read_refits(written(tmp_path, [])) == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("not JSON", "Invalid JSON"),
        ({"refits": [GOOD]}, "should be a valid"),
        ([{**GOOD, "date": "yesterday"}], "0.date"),
        ([GOOD, {**GOOD, "models": []}], "1.models"),
        ([{**GOOD, "session": 6001}], "is session 6000, not 6001"),
        ([{**GOOD, "cause": "grid"}], "a refit of the grid"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        read_refits(written(tmp_path, value))
    assert "\n" not in refused.value.line()
