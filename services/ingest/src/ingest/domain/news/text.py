"""A text as a model may read it: no tags, no boilerplate, no bytes that were taken for letters."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

MOST_RAW, MOST = 20_000, 2_000
"""Characters that are looked at, and kept: a model that reads 128 tokens sees some 600 of them."""

_GARBLED = 0.01
"""Share of control and replacement characters above which a text is bytes and not words."""

_WALL = re.compile(
    r"(?i)not a robot|enable javascript|browser supports javascript|part of this site couldn.t load"
    r"|verify you are (a )?human|access denied|disable (any |your )?ad ?blockers?|\bGo to \w+ ?r/\w+"
)
"""What a site shows to a program instead of the article."""

_BOILERPLATE = re.compile(
    r"(?i)^.{0,140}?\([a-z ]{2,20}\) (--|—) |https?://\S+|\bRT @\w+|\bsubmitted by\s+/?u/\S+|\[(link|comments)\]"
    r"|\b(add to|remove from) myft\b|\bget instant alerts for this topic\b|\bmanage your delivery channels here\b"
    r"|\bfull article \d+ comments?\b|\bthe post .{0,200}? appeared first on [^.]{0,80}\.?"
    r"|\b(read|see) (more|the full (story|article))( here)?\b\.?|\bclick here [^.]{0,60}\.?"
    r"|\bsign up (for|to) (our|the) [^.]{0,60}newsletters?[^.]{0,40}\.?|©[^.]{0,60}|\ball rights reserved\b\.?"
    r"|\(DTN/Progressive Farmer graphic\)|\bmarket impact analysis:|(\s[-–])?\sNone\.?\s*$"
)

_SILENT = frozenset({"script", "style", "noscript", "template", "iframe", "svg"})


class _Stripper(HTMLParser):
    """Collects what a reader would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._silent += tag in _SILENT
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        # The parser of Python 3.11 asserts that it knows the kind of section.
        return self.parse_bogus_comment(i, bool(report))


def clean(raw: str) -> str:
    """Return the words of a text: markup, entities and boilerplate are gone, white space is single.

    >>> clean("<p>Palm oil &amp;amp; soy <script>alert(1)</script>rise.</p> submitted by /u/x [link]")
    'Palm oil & soy rise.'
    """
    stripper = _Stripper()
    stripper.feed(_with_whole_tags(raw[:MOST_RAW]))
    stripper.close()
    # Entities are often escaped twice, by the feed and by whoever stored it.
    plain = html.unescape("".join(stripper.parts))
    plain = unicodedata.normalize("NFKC", plain)
    plain = "".join(c if c.isprintable() else " " for c in plain)
    return " ".join(_BOILERPLATE.sub(" ", plain).split())[:MOST].strip()


def _with_whole_tags(raw: str) -> str:
    """Take out what opens a tag that nothing closes: the parser looks for its end from every one of them anew."""
    whole, end, rest = raw.rpartition(">")
    return whole + end + rest.replace("<", " ")


def is_garbled(raw: str) -> bool:
    """Return whether the text is bytes that were taken for letters."""
    odd = sum(c == "\ufffd" or (unicodedata.category(c) == "Cc" and c not in "\t\n\r") for c in raw[:MOST_RAW])
    return odd > _GARBLED * min(len(raw), MOST_RAW)


def is_wall(text: str) -> bool:
    """Return whether a site said this to a program instead of showing the article."""
    return _WALL.search(text) is not None


def words(text: str) -> list[str]:
    """Return the words of a text, without case and signs: what two copies of an article have in common."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
