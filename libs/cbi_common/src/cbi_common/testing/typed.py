"""Whether `cbi` would understand a line that a document shows, asked of its own parser; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import click

from cbi_common.runtime.cli import program

STAND_INS = {
    "DATE": "2025-05-16", "ID": "1a2b3c", "H": "1m", "N": "1", "COMMAND": "run", "SUBJECT": "data.requested",
}  # fmt: skip
"""What stands for a word of which a document says that the reader has one of his own."""


def misunderstood(words: Sequence[str], files: Path, *, mentioned: bool) -> str:
    """Return what ``cbi`` would say against a line, empty when it would do it.

    Parameters
    ----------
    words : sequence of str
        After ``cbi``.
    files : Path
        Folder for files that the line reads: they are made there.
    mentioned : bool
        Within a sentence, arguments and values may be left out.
    """
    command: click.Command = program
    context = click.Context(program, info_name="cbi")
    rest = [STAND_INS.get(word, word) for word in words if word != "--debug"]
    while isinstance(command, click.Group):
        if rest[:1] == ["…"]:
            return ""
        if not rest or rest[0].startswith("-"):
            if mentioned or not rest:
                return "" if not rest or rest[0] in ("--help", "-h", "--version") else f"no option {rest[0]}"
            break
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"no command {name!r} in {context.command_path}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if mentioned:
        rest = _without_unvalued(command, rest)
    return _parsed(command, [_made(command, word, files) for word in rest], context.parent, mentioned=mentioned)


def _parsed(command: click.Command, rest: list[str], parent: click.Context | None, *, mentioned: bool) -> str:
    try:
        with redirect_stdout(StringIO()):  # --help
            command.make_context(command.name, rest, parent=parent)
    except click.exceptions.Exit:
        return ""
    except click.MissingParameter as error:
        return "" if mentioned else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return ""


def _without_unvalued(command: click.Command, rest: Sequence[str]) -> list[str]:
    """Leave out options that are named without their value; one that does not exist stays and is found."""
    valued = {
        name for p in command.params if isinstance(p, click.Option) and not p.is_flag and not p.count for name in p.opts
    }
    return [
        word
        for i, word in enumerate(rest)
        if word not in valued or (i + 1 < len(rest) and not rest[i + 1].startswith("--"))
    ]


def _made(command: click.Command, word: str, files: Path) -> str:
    """Return a file that is there for a word that names one, where the command reads files."""
    reads = any(isinstance(p.type, click.Path) and p.type.exists for p in command.params)
    if not reads or not re.fullmatch(r"FILE|[\w/.-]+\.(json|csv|toml)", word):
        return word
    made = files / Path(word).name
    made.touch()
    return str(made)
