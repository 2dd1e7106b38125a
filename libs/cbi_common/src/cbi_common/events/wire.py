"""JSON from outside: what every reader of it would understand alike, or nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

_DEEPEST = 32
_LONGEST_COMPLAINT = 300
_LONGEST_INTEGER = 20


def decode(payload: bytes) -> Any:
    """Return the JSON value of a payload.

    Stricter than the standard library, whose leniency differs from one reader to the next: no key comes twice, a number
    is finite and an integer has 64 bits at most, every text can be written again as UTF-8, and nothing is nested deeper
    than 32 levels.

    Raises
    ------
    ValueError
        Saying what is wrong; never longer than a line.

    Examples
    --------
    >>> decode(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> decode(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: key 'a' comes twice
    """
    try:
        value = json.loads(
            payload, object_pairs_hook=_object, parse_int=_whole, parse_float=_finite, parse_constant=_no_number
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {_DEEPEST} levels") from None
    except UnicodeDecodeError:
        raise ValueError("no UTF-8") from None
    _check(value)
    return value


def complaint(text: str) -> str:
    r"""Return what somebody may read of a text that came from outside: printable, and not long.

    >>> complaint("a\ud800\n\x1b[0m")
    'a\\ud800\\n\\x1b[0m'
    """
    shown = text if len(text) <= _LONGEST_COMPLAINT else text[:_LONGEST_COMPLAINT] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:100]!r} comes twice")
    return found


def _whole(text: str) -> int:
    if len(text) > _LONGEST_INTEGER or not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(f"{text[:40]} is out of range")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is out of range")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _check(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _require_text(one)
            elif isinstance(one, dict):
                _require_texts(one)
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return
        level = inner
    raise ValueError(f"nested deeper than {_DEEPEST} levels")


_STRICT: dict[str, Any] = {
    "object_pairs_hook": _object,
    "parse_int": _whole,
    "parse_float": _finite,
    "parse_constant": _no_number,
}


def _require_texts(keys: Iterable[str]) -> None:
    for key in keys:
        _require_text(key)


def _require_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("half a surrogate pair in a text") from None
