"""The documents as data: what they tell a reader to type, where they lead, and what they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

PROGRAMS = ("cbi", "make", "python", "python3", "curl", "docker", "docker-compose", "pytest", "export")
"""Words that begin a command of which a test knows what is right."""

_SHELL = ("", "bash", "sh", "console")
_FENCE = re.compile(r"^\s*```\s*(\S*)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$")
_VARIABLE = re.compile(r"\bCBI_[A-Z0-9_]*[A-Z0-9](?:_(?=…))?")
_ALTERNATIVES = re.compile(r"[\w…-]+(\|[\w…-]+)+")
_JOINTS = ("|", "||", "&&", ";", "&")
_REMARK = re.compile(r"\s+#\s.*$|\s{2,}\S.*$")


class Command(NamedTuple):
    """One command as a document shows it."""

    where: str
    words: tuple[str, ...]
    """The program first, without its folder, environment and redirections."""
    environment: tuple[str, ...]
    """Names that are set in front of it."""
    mentioned: bool
    """Within a sentence, where what is known already is left out; not on a line of its own."""

    def __str__(self) -> str:
        """Return it as one would look for it."""
        return f"{self.where}: {' '.join(self.words)}"


class Line(NamedTuple):
    """A line and whether it stands in a block of code, and in which language."""

    number: int
    text: str
    language: str | None


@dataclass(frozen=True)
class Document:
    """A Markdown file.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.
    """

    path: Path
    name: str

    @cached_property
    def text(self) -> str:
        """Return the whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Return the lines without the fences; what a backslash continues is one line."""
        found: list[Line] = []
        language: str | None = None
        for number, text in enumerate(self.text.splitlines(), 1):
            fence = _FENCE.match(text)
            if fence:
                language = fence[1] if language is None else None
            elif found and found[-1].language == language is not None and found[-1].text.endswith("\\"):
                found[-1] = found[-1]._replace(text=f"{found[-1].text[:-1].rstrip()} {text.strip()}")
            else:
                found.append(Line(number, text, language))
        return tuple(found)

    def blocks(self, language: str) -> list[str]:
        """Return the blocks of code in a language."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, flags=re.MULTILINE | re.DOTALL)

    def commands(self) -> Iterator[Command]:
        """Yield every command, those with alternatives (``a|b``) once for each."""
        for line in self.lines:
            if line.language is None:
                for code in _CODE.findall(line.text):
                    yield from self._read(line, code, mentioned=True)
            elif line.language in _SHELL:
                yield from self._read(line, _REMARK.sub("", line.text.strip()), mentioned=False)

    def code(self) -> Iterator[tuple[int, str]]:
        """Yield what stands between backticks within sentences, with its line."""
        for line in self.lines:
            if line.language is None:
                for code in _CODE.findall(line.text):
                    yield line.number, code

    def links(self) -> Iterator[tuple[int, str]]:
        """Yield where links and pictures lead, with their line."""
        for line in self.lines:
            if line.language is None:
                for target in _LINK.findall(_CODE.sub("", line.text)):
                    yield line.number, target

    def anchors(self) -> set[str]:
        """Return the names of the headings as GitHub makes them."""
        found: set[str] = set()
        for line in self.lines:
            heading = _HEADING.match(line.text) if line.language is None else None
            if heading:
                slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading[1]).lower()).replace(" ", "-")
                taken = sum(1 for known in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known))
                found.add(f"{slug}-{taken}" if taken else slug)
        return found

    def variables(self) -> set[str]:
        """Return the names of CBI's environment variables; one that ends with ``_`` stands for all that begin so."""
        return set(_VARIABLE.findall(self.text))

    def _read(self, line: Line, text: str, *, mentioned: bool) -> Iterator[Command]:
        try:
            tokens = shlex.split(text)
        except ValueError:  # an apostrophe: prose
            return
        for part in _split(tokens):
            environment, words = _apart(part)
            if words and Path(words[0]).name in PROGRAMS and (len(words) > 1 or not mentioned):
                for chosen in _each(words):
                    program = (Path(chosen[0]).name, *chosen[1:])
                    yield Command(f"{self.name}:{line.number}", program, environment, mentioned)


def documents(root: Path) -> list[Document]:
    """Return the documents of a checkout."""
    paths = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
    return [Document(path, path.relative_to(root).as_posix()) for path in paths]


def _split(tokens: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for token in tokens:
        if token in _JOINTS:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _apart(words: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names that are set in front of a command, and the command without redirections."""
    names = []
    rest = list(words)
    while rest and re.match(r"[A-Z][A-Z0-9_]*=", rest[0]):
        names.append(rest.pop(0).partition("=")[0])
    kept: list[str] = []
    skip = False
    for word in rest:
        redirection = re.fullmatch(r"[12]?[<>]{1,2}(&?)(.*)", word)
        if redirection:
            skip = not redirection[2]
        elif skip:
            skip = False
        else:
            kept.append(word)
    return tuple(names), kept


def _each(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words once for each alternative; what is optional is taken."""
    plain = [word.strip("[]") if re.match(r"\[.*|.*\]$", word) and "{" not in word else word for word in words]
    place = next((i for i, word in enumerate(plain) if _ALTERNATIVES.fullmatch(word)), None)
    if place is None:
        yield plain
        return
    for one in plain[place].split("|"):
        yield from _each([*plain[:place], one, *plain[place + 1 :]])
