"""What people see: tables, JSON, and the mark of simulated data."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cbi_common.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cbi_common.reporting.tables import Table

_PIPED_WIDTH = 140
_GAP = 2


def console(*, stderr: bool = False) -> Console:
    """Return a console; one that is no terminal is wide enough for every table."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PIPED_WIDTH, highlight=False)


def show(table: Table, *, on: Console | None = None) -> None:
    """Print a table: text to the left, numbers to the right; without rows, its title and note on one line.

    A terminal that is too narrow for the whole table gets it without the columns that may be left out.
    """
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    target = on or console()
    if not table.rows:
        target.print(Text(f"{table.title}: {table.note or 'nothing'}"))
        return
    whole = _width(table) <= target.width
    shown = [index for index, column in enumerate(table.columns) if whole or not column.extra]
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index in shown:
        column = table.columns[index]
        drawn.add_column(column.name, justify="right" if column.number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(row[index]) for index in shown))
    target.print(Text(table.title, style="bold"))
    target.print(drawn)
    if table.note:
        target.print(Text(table.note, style="dim"))


def _width(table: Table) -> int:
    cells = [max(len(text) for text in texts) for texts in zip(*table.rows, strict=True)]
    names = [len(column.name) for column in table.columns]
    return sum(max(pair) + _GAP for pair in zip(cells, names, strict=True))


def simulated_banner(simulated: bool | None, *, on: Console | None = None) -> None:
    """Say that the data are simulated, if they are."""
    if simulated:
        (on or console()).print("[black on yellow] SIMULATED DATA [/] no number below describes the real market")


def write_json(value: Any) -> None:
    """Print a JSON value."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def save_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises
    ------
    UsageError
        When it cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=2, ensure_ascii=False, allow_nan=False)
                file.write("\n")
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(
            f"cannot write: {error.strerror or error}", where=str(path), hint="give another --json FILE"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
