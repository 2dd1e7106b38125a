import json

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.data import DataExported, DataRequested
from cbi_common.runtime.commands.by_hand import fields_of_all, prepare
from cbi_common.testing.story import Story


def event(subject: str, *words: str) -> Envelope[EventData]:
    made = prepare(subject, words, raw=False).message
    assert isinstance(made, Envelope)
    return made


def test_key_value_pairs_make_an_event() -> None:
    made = event("data.requested", "market=zl", "as_of=2025-05-16", "profile=quick", 'datasets=["full"]')
    assert isinstance(made.data, DataRequested)
    assert made.data == DataRequested.model_validate(
        {"market": "zl", "as_of": "2025-05-16", "profile": "quick", "datasets": ["full"]}
    )
    assert made.correlationid == made.id


def test_a_bare_object_makes_an_event_with_an_id_of_its_own() -> None:
    first, second = event("data.exported", '{"market": "zl"}'), event("data.exported", '{"market": "zl"}')
    assert isinstance(first.data, DataExported)
    assert not first.data.complete
    assert first.id != second.id


def test_a_whole_cloudevent_keeps_its_id() -> None:
    original = Story().request
    assert event("data.requested", original.to_json().decode()) == original


@pytest.mark.parametrize(
    ("subject", "words", "part"),
    [
        ("data.nope", ["{}"], "no such event"),
        ("data.requested", [], "market"),
        ("data.requested", ["market=zl", "colour=red"], "colour"),
        ("data.requested", ["{not json"], "not JSON"),
        ("data.requested", ["market"], "not JSON"),
        ("data.requested", ["market=zl", "profile"], "not key=value"),
        ("data.requested", ["[1]"], "not an object"),
        ("data.requested", ["market=zl", "as_of=tomorrow"], "as_of"),
    ],
)
def test_what_is_no_valid_event_is_refused_with_a_reason(subject: str, words: list[str], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        prepare(subject, words, raw=False)


def test_raw_bytes_go_unchecked() -> None:
    assert prepare("data.exported", ["no", "json"], raw=True).message == b"no json"


def test_every_event_is_described_with_its_required_and_optional_fields() -> None:
    described = dict(fields_of_all())
    assert set(described) == {cls.subject for cls in EventData.classes()}
    assert described["data.requested"] == "market, as_of?, profile?, datasets?, reason?, refit?, refits?, scope?"
    assert json.dumps(described)
