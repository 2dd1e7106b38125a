"""From rows to articles that may be read; each step counts what it took out and what it changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from cbi_common.core.identity import sha256_hex
from cbi_common.markets.news import SentimentSpec
from ingest.domain.audit.text import INJECTION, MARKUP
from ingest.domain.news.articles import Article, Raw, Reason, in_order, next_session
from ingest.domain.news.duplicates import Seen
from ingest.domain.news.language import is_english
from ingest.domain.news.text import clean, is_garbled, is_wall, words

VERSION = 1
"""Raised when equal rows give other articles than before."""

_LEAST_WORDS = 3
_SHOWN = 3
_MARKUP, _INJECTION = re.compile(MARKUP), re.compile(INJECTION, re.MULTILINE)


@dataclass
class Counts:
    """What became of the rows of one table.

    Attributes
    ----------
    read : int
        Rows by as_of.
    later : int
        Rows that no session up to as_of may know.
    kept : int
    removed : reason to the number of rows
    changed : what was taken out of texts (``markup``, ``garbled``, ``wall``) to the number of rows
    examples : reason to the first texts, shortened
    """

    read: int = 0
    later: int = 0
    kept: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def remove(self, reason: Reason, text: str) -> None:
        """Count a row that is left out."""
        self.removed[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if text and len(shown) < _SHOWN:
            shown.append(text[:80])

    def report(self) -> dict[str, object]:
        """Return the counts as JSON values."""
        removed = {reason: self.removed[reason] for reason in get_args(Reason) if self.removed[reason]}
        return {
            "read": self.read,
            "later": self.later,
            "kept": self.kept,
            "removed": removed,
            "changed": dict(sorted(self.changed.items())),
            "examples": {reason: self.examples[reason] for reason in removed},
        }


def choose(
    rows: Mapping[str, Sequence[Raw]], spec: SentimentSpec, as_of_session: int
) -> tuple[list[Article], dict[str, Counts]]:
    """Return the articles that may be read by a session, as they came out, and what became of the rows of each table.

    Whether an article is kept depends on itself and on those that came out before it: later rows change nothing.

    Parameters
    ----------
    rows : table to its rows
    spec : SentimentSpec
    as_of_session : int
        No article is looked at that only a later session may know.
    """
    counts = {table: Counts() for table in rows}
    seen, kept, topics = Seen(), [], _patterns(spec)
    for raw in in_order([raw for table in rows.values() for raw in table]):
        of_table = counts[raw.table]
        session = None if raw.known is None else next_session(raw.known.date())
        if session is not None and session > as_of_session:
            of_table.later += 1
            continue
        of_table.read += 1
        text = _readable(raw, of_table.changed)
        touched = tuple(name for name, pattern in topics.items() if pattern.search(text))
        reason = _unfit(raw, text) or (None if touched else "off_topic") or seen.add(words(text))
        if reason is not None or session is None:
            of_table.remove(reason or "no_date", text)
            continue
        of_table.kept += 1
        kept.append(Article(replace(raw, texts=()), session, text, sha256_hex(text.encode()), touched))
    return kept, counts


def _unfit(raw: Raw, text: str) -> Reason | None:
    if raw.known is None:
        return "no_date"
    if raw.impossible:
        return "published_after_load"
    if len(words(text)) < _LEAST_WORDS:
        return "no_text"
    # FinBERT only classifies; but a text that gives orders was not written to inform anybody.
    if _INJECTION.search(text):
        return "injection"
    return None if is_english(text) else "language"


def _readable(raw: Raw, changed: Counter[str]) -> str:
    """Headline and the first text that is words; scripts and tags are stripped and never run."""
    if any(_MARKUP.search(text) for text in (raw.title, *raw.texts)):
        changed["markup"] += 1
    title = clean(raw.title)
    said = (title, _first_words(raw.texts, changed).removeprefix(title))
    return ". ".join(part for part in (part.strip(" .:-–|") for part in said) if part)


def _first_words(texts: Iterable[str], changed: Counter[str]) -> str:
    for text in texts:
        plain = clean(text)
        if is_garbled(text):
            changed["garbled"] += 1
        elif is_wall(plain):
            changed["wall"] += 1
        elif len(words(plain)) >= _LEAST_WORDS:
            return plain
    return ""


def _patterns(spec: SentimentSpec) -> dict[str, re.Pattern[str]]:
    return {topic: re.compile("|".join(map(_pattern, keys)), re.IGNORECASE) for topic, keys in spec.topics.items()}


def _pattern(key: str) -> str:
    ending = r"\w*" if key.endswith("*") else r"\b"
    return rf"\b{re.escape(key.rstrip('*'))}{ending}"
