import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import CbiError, DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import canonical_json, derived_id, digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=5))
def test_key_order_never_changes_a_digest(value: dict[str, object]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(1) != digest("1")


def test_nan_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})


def test_derived_ids_repeat_and_differ() -> None:
    assert derived_id("a", "b", "c") == derived_id("a", "b", "c")
    assert len({derived_id("a", "b"), derived_id("a", "c"), derived_id("b", "b"), derived_id("a", "b", "1")}) == 4
    assert uuid.UUID(derived_id("a", "b")).version == 5


def test_an_error_is_one_line_with_where_and_what_to_do() -> None:
    error = DataError("no rows\nat all", where="table x", hint="export it again")
    assert error.line() == "table x: no rows at all; export it again"
    assert (error.exit_code, CbiError("x").exit_code) == (3, 5)


def test_horizons_are_the_agreed_sessions() -> None:
    assert [h.sessions for h in Horizon] == [5, 21, 63, 126, 252]
