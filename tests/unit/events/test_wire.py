"""Whatever comes from outside: read alike by everybody, or refused in one short line; never anything else."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import ContractError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, EventData, parse
from cbi_common.events.data import DataRequested
from cbi_common.events.wire import complaint, decode
from cbi_common.runtime.deadletters import correlation_of, payload_fields
from cbi_common.testing.story import Story, explained, exported, forecast_ready, rejected_promotion, trained, validated

NOW = datetime(2025, 5, 16, tzinfo=UTC)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))
LONGEST_LINE = 2_000
WHOLE = [
    Story().tell(data)
    for data in (
        DataRequested(market="zl"), exported(), trained("ets", Horizon.W1), forecast_ready(), explained(), validated(),
        rejected_promotion(),
    )
]  # fmt: skip

odd_texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ud800", "a\nb", "../x", "\u202e", "NaN", "9" * 400, "1e999", "2025-13-45", "x" * 999]
    ),
)
odd_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, -(2**70), 10**400]),
        st.floats(),
        odd_texts,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3),
    max_leaves=8,
)


def refusal(payload: bytes, subject: str) -> str | None:
    """Return the refusal's line, or None when it is an event that survives the wire."""
    try:
        event = parse(payload, subject=subject, stream="EVENTS", sequence=1, now=NOW)
    except ContractError as error:
        return error.line()
    again = parse(event.to_json(), subject=subject, stream="EVENTS", sequence=2, now=NOW)
    assert again.to_json() == event.to_json()
    return None


def require_readable(payload: bytes, subject: str) -> None:
    line = refusal(payload, subject)
    if line is not None:
        assert len(line) < LONGEST_LINE
        assert "\n" not in line
        assert line.encode()
    found = correlation_of(payload)
    assert found is None or isinstance(found.encode(), bytes)
    assert json.dumps(payload_fields(payload), allow_nan=False)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, part in inner for deeper in places(part, (*path, key)))]


def changed(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(WHOLE), odd_values)
def test_an_event_with_one_odd_part_is_refused_or_survives(
    data: st.DataObject, event: Envelope[EventData], odd: Any
) -> None:
    raw = json.loads(event.to_json())
    path = data.draw(st.sampled_from(places(raw)))
    require_readable(json.dumps(changed(raw, path, odd)).encode(), event.type)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from([cls.subject for cls in EventData.classes()]), st.dictionaries(odd_texts, odd_values, max_size=4)
)
def test_a_bare_object_of_any_kind_is_refused_or_survives(subject: str, raw: dict[str, Any]) -> None:
    require_readable(json.dumps(raw).encode(), subject)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(WHOLE))
def test_an_event_with_damaged_bytes_is_refused_or_survives(data: st.DataObject, event: Envelope[EventData]) -> None:
    payload = bytearray(event.to_json())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        cut = data.draw(st.integers(0, 6))
        payload[place : place + cut] = data.draw(st.binary(max_size=6))
        if not payload:
            break
    require_readable(bytes(payload), event.type)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b'{"market": "zl", "market": "wti"}', "key 'market' comes twice"),
        (b'{"market": NaN}', "NaN is no JSON"),
        (b'{"market": -Infinity}', "-Infinity is no JSON"),
        (b'{"market": 1e999}', "1e999 is out of range"),
        (b'{"market": 9223372036854775808}', "9223372036854775808 is out of range"),
        (b'{"market": "\\ud800"}', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32 levels"),
        (b'{"market": "\xff"}', "no UTF-8"),
    ],
)
def test_what_readers_would_understand_differently_is_refused(payload: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode(payload)
    assert says in str(refusal(payload, "data.requested"))


def test_json_that_is_plain_is_read() -> None:
    for payload in (b'\xef\xbb\xbf{"market": "zl"}', b'{"market": "z\\u006c"}', b' {"market":"zl"}\r\n'):
        assert refusal(payload, "data.requested") is None
    assert decode(b"[" * 32 + b"]" * 32) is not None


@pytest.mark.parametrize("name", ["id", "source", "correlationid", "causationid"])
@pytest.mark.parametrize("value", ["", "a\nb", "a\r\nNats-Rollup: all", "\x1b[2J", "é", "x" * 201])
def test_what_stands_in_headers_and_logs_is_printable(name: str, value: str) -> None:
    raw = json.loads(WHOLE[0].to_json()) | {name: value}
    assert f"{name}: " in str(refusal(json.dumps(raw).encode(), "data.requested"))


def test_a_time_without_a_zone_is_none() -> None:
    raw = json.loads(WHOLE[0].to_json()) | {"time": "2025-05-16T12:00:00"}
    assert "time: Input should have timezone info" in str(refusal(json.dumps(raw).encode(), "data.requested"))


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps({f"a{i}": 1 for i in range(75_000)}).encode(),
        b'{"a":' * 160_000,
        b'{"market": ' + b"9" * 1_000_000 + b"}",
        json.dumps({"specversion": "1.0", "type": "\x00" * 160_000}).encode(),
        json.dumps({"market": "zl", "datasets": {f"d{i}": i for i in range(60_000)}}).encode(),
    ],
    ids=["keys", "nested", "digits", "controls", "wrong"],
)
def test_the_largest_message_is_refused_in_bounded_time(payload: bytes) -> None:
    assert len(payload) <= 1_048_576
    before = time.process_time()
    line = refusal(payload, "data.exported")
    assert line is not None
    assert len(line) < LONGEST_LINE
    assert time.process_time() - before < 10


def test_a_complaint_is_short_and_printable() -> None:
    assert complaint("a\ud800\n\x1b[0m") == "a\\ud800\\n\\x1b[0m"
    assert len(complaint("\x00" * 10_000)) < LONGEST_LINE
