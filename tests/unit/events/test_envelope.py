import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import ContractError
from cbi_common.events.base import Envelope, EventData, LakeRef, parse
from cbi_common.events.data import DataExported, DataRequested

NOW = datetime(2025, 5, 16, tzinfo=UTC)
SUBJECT = DataExported.subject


def read(payload: bytes, sequence: int = 7, subject: str = SUBJECT) -> Envelope[EventData]:
    return parse(payload, subject=subject, stream="EVENTS", sequence=sequence, now=NOW)


def test_a_bare_object_is_wrapped_alike_by_every_consumer() -> None:
    first, second = read(b'{"market":"zl"}'), read(b'{"market":"zl"}')
    assert first == second
    assert first.data == DataExported(market="zl")
    assert first.correlationid == first.id
    assert read(b'{"market":"zl"}', sequence=8).id != first.id


def test_an_envelope_survives_the_wire() -> None:
    cause = Envelope.first(DataRequested(market="zl"), source="cli", now=NOW, event_id="e1")
    event = cause.caused(DataExported(market="zl", as_of=date(2025, 5, 16)), source="ingest", now=NOW)
    back = read(event.to_json())
    assert back.to_json() == event.to_json()
    assert (back.causationid, back.correlationid) == ("e1", "e1")
    assert isinstance(back.data, DataExported)
    assert back.data.as_of == date(2025, 5, 16)


def test_the_same_cause_leads_to_the_same_id() -> None:
    cause = Envelope.first(DataRequested(market="zl"), source="cli", now=NOW, event_id="e1")
    data = DataExported(market="zl")
    ids = {cause.caused(data, source="x", now=NOW, discriminator=d).id for d in ("", "", "a", "b")}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"{", "not JSON"),
        (b"[1]", "a JSON list, not an object"),
        (b"{}", "market: Field required"),
        (b'{"market": "zl", "horizon": 3}', "horizon: Extra inputs"),
        (b'{"market": "../etc"}', "market: String should match"),
        (b'{"specversion": "1.0", "id": "1"}', "type says None"),
        (b'{"specversion": "1.0", "id": "1", "type": "data.exported"}', "Field required"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_malformed_message_says_what_is_wrong(payload: bytes, says: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(payload)
    assert says in caught.value.line()
    assert "\n" not in caught.value.line()


def test_the_type_must_be_the_subject() -> None:
    event = Envelope.first(DataRequested(market="zl"), source="cli", now=NOW, event_id="e1").to_json()
    with pytest.raises(ContractError, match=r"type says 'data\.requested'"):
        read(event)


def test_an_unknown_subject_names_the_known_ones() -> None:
    with pytest.raises(ContractError, match=r"data\.exported"):
        read(b"{}", subject="data.expored")


@given(st.binary(max_size=200))
def test_no_payload_raises_anything_but_a_contract_error(payload: bytes) -> None:
    error = ContractError("none")
    try:
        read(payload)
    except ContractError as raised:
        error = raised
    assert error.where in (None, SUBJECT)


@pytest.mark.parametrize("key", ["../x", "a", "a/../b", "/a/b", "a//b", "a/.b", "a/b\n", "A/b", "a/b/"])
def test_a_lake_key_cannot_leave_the_lake(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        LakeRef(key=key, sha256="0" * 64, size_bytes=0)


def test_every_subject_has_one_class_and_all_are_frozen() -> None:
    classes = list(EventData.classes())
    assert len({c.subject for c in classes}) == len(classes)
    assert all(c.model_config.get("frozen") and c.model_config.get("extra") == "forbid" for c in classes)
    assert json.dumps([c.model_json_schema() for c in classes])
