"""Golden schemas: a contract changes only when somebody means it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cbi_common.core.errors import ContractError
from cbi_common.events.base import Envelope, EventData, parse
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.training import TrainJobCpu
from cbi_common.runtime.schemas import asyncapi, contracts, render, write
from cbi_common.runtime.service import Outgoing, Service
from cbi_common.testing.fakes import NOW, make_kit

GOLDEN = Path(__file__).parent / "schemas"
RENEW = "run `make schemas` if the change is meant: a new optional field keeps the version, anything else is a new type"


@pytest.mark.parametrize("name", sorted(contracts()))
def test_a_contract_is_what_it_was(name: str) -> None:
    golden = GOLDEN / f"{name}.json"
    assert golden.exists(), RENEW
    assert golden.read_text(encoding="utf-8") == render(contracts()[name]), RENEW


def test_no_golden_schema_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(contracts()), RENEW


def test_the_files_are_written_as_they_are_compared(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text("{}")
    write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in GOLDEN.iterdir()
    }


@pytest.mark.parametrize("name", sorted(contracts()))
def test_a_schema_is_a_schema_and_refuses_unknown_fields(name: str) -> None:
    schema = contracts()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


def test_every_subject_names_its_event_once() -> None:
    subjects = [cls.subject for cls in EventData.classes()]
    assert len(subjects) == len(set(subjects))
    assert all(re.fullmatch(r"[a-z]+(\.[a-z0-9]+)+", subject) for subject in subjects)


def test_what_we_send_fits_the_schema_that_we_publish() -> None:
    sent = Envelope.first(DataRequested(market="zl"), source="cli", now=NOW, event_id="1").to_json()
    raw = json.loads(sent)
    jsonschema.validate({**raw, "data": {}}, contracts()["envelope"])
    jsonschema.validate(raw["data"], contracts()["data.requested"])
    again = parse(sent, subject="data.requested", stream="EVENTS", sequence=1, now=NOW)
    assert again.to_json() == sent


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ('{"market": "zl", "market_id": 1}', "market_id: Extra inputs are not permitted"),
        ("{}", "market: Field required"),
        ('{"market": "../etc"}', "market: String should match"),
        ('{"market": "zl", "as_of": "yesterday"}', "as_of: "),
        ("null", "a JSON NoneType, not an object"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_message_is_told_its_fault(payload: str, says: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse(payload.encode(), subject="data.requested", stream="EVENTS", sequence=1, now=NOW)
    assert says in caught.value.line()


async def _complete(event: Envelope[DataExported]) -> list[Outgoing]:
    """Complete an export."""
    return []


def test_asyncapi_shows_who_listens_and_who_publishes(tmp_path: Path) -> None:
    kit = make_kit(tmp_path)
    first, second = Service("ingest", kit), Service("trainer", kit)
    first.on(DataExported, _complete, publishes=(DataExported, DataRejected))
    second.on(TrainJobCpu, _complete, parallel=3)
    document = asyncapi([first, second])
    assert document["asyncapi"] == "3.0.0"
    done = {(o["action"], _resolve(document, o["channel"]["$ref"])["address"]) for o in document["operations"].values()}
    assert done == {
        ("receive", "data.exported"),
        ("send", "data.exported"),
        ("send", "data.rejected"),
        ("receive", "jobs.train.cpu"),
    }
    payload = document["components"]["schemas"]["DataRejected"]
    assert set(payload["properties"]) == set(contracts()["data.rejected"]["properties"])
    assert "password" not in json.dumps(document)


def _resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found
