"""Texts with markup, or with words that mean to be obeyed; numbers and days that are texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.domain.audit.sheet import LEAST_ROWS, Mask, Sheet
from ingest.domain.flaws import Flaw

MARKUP = (
    r"(?i)<(/?(p|div|span|a|br|b|i|em|strong|ul|ol|li|h[1-6]|img|table|tr|td|iframe|font|style|script)\b[^>]*)>"
    r"|&(amp|nbsp|lt|gt|quot|#\d+);"
)
"""Tags and entities of HTML."""

INJECTION = (
    r"(?i)'\s*;\s*--|;\s*(drop|delete|insert|update|alter|truncate)\s+(table|from|into)\b|\bunion\s+select\b"
    r"|<script\b|javascript:|\bon(error|load|click|mouseover)\s*="
    r"|^\s*[=+@]\s*[a-z]+\|"
    r"|\b(ignore|disregard|forget)\s+(all\s+|any\s+|the\s+)*(previous|prior|above|earlier)\s+(instructions|prompts?)\b"
)
"""Commands to a database, a browser, a spreadsheet or a language model."""

_NUMBER = r"^\s*[-+]?[\d.,]+([eE][-+]?\d+)?\s*%?\s*$"
_DAY = r"^\s*\d{4}-\d{2}-\d{2}([ T].*)?$"
MOSTLY = 0.95


def text(sheet: Sheet) -> Iterator[Flaw]:
    """Yield what is wrong with the texts of a table."""
    for name, column in sheet.texts.items():
        if name in sheet.facts.read:
            continue
        yield from _matching(sheet, "markup", name, MARKUP, "rows hold HTML", "stripped before a model reads it")
        yield from _matching(
            sheet, "injection", name, INJECTION, "rows hold a command", "treated as data, never obeyed"
        )
        yield from _disguised(sheet, name, column)


def matching(texts: pa.ChunkedArray[Any], pattern: str) -> Mask:
    """Return which texts hold a match of the pattern; null holds none."""
    found: Any = pc.match_substring_regex(texts, pattern)
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _matching(sheet: Sheet, check: str, name: str, pattern: str, what: str, done: str) -> Iterator[Flaw]:
    hit = matching(sheet.texts[name], pattern)
    yield from sheet.flaw(check, hit, f"{name}: {hit.sum()} {what}", columns=[name], done=done, severity="info")


def _disguised(sheet: Sheet, name: str, column: pa.ChunkedArray[pa.StringScalar]) -> Iterator[Flaw]:
    known = column.drop_null()
    if len(known) < LEAST_ROWS or not sheet.facts.about_values(name) or name in sheet.facts.key:
        return
    for pattern, what in ((_NUMBER, "numbers"), (_DAY, "days")):
        share = pc.mean(pc.cast(pc.match_substring_regex(known, pattern), pa.float64())).as_py()
        if share >= MOSTLY:
            rows = np.arange(sheet.table.num_rows)
            yield from sheet.flaw("wrong_type", rows, f"{name}: {what} stored as text", columns=[name], severity="info")
