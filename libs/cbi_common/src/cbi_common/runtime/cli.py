"""The one ``cbi`` program: finds its commands, loads one when it is called, and turns errors into one line.

Only click is imported here and at the top of every command's module, so that ``cbi --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import TracebackType
from typing import NoReturn

import click

from cbi_common.core.errors import CbiError, InfrastructureError

_GROUP = "cbi.commands"
_OWN = (
    "run", "replay", "up", "service", "simulate", "publish", "status", "trace", "dead", "verify", "doctor", "backup",
    "restore",
)  # fmt: skip
_UNEXPECTED = 5
_INTERRUPTED = 130


class Program(click.Group):
    """Group of the library's own commands and of those that the installed services bring."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the library's commands in the order of use, then the services' by name."""
        return [*_OWN, *sorted(_brought().keys() - set(_OWN))]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; one that cannot be loaded says so when it is called and leaves the others alone."""
        try:
            if cmd_name in _OWN:
                return _as_command(getattr(import_module(f"cbi_common.runtime.commands.{cmd_name}"), cmd_name))
            if cmd_name in _brought():
                return _as_command(_brought()[cmd_name].load())
        except (ImportError, AttributeError) as error:
            return _broken(cmd_name, error)
        return None


@cache
def _brought() -> dict[str, EntryPoint]:
    # Scanning the entry points of all distributions takes 15 ms: once, not per command.
    return {point.name: point for point in entry_points(group=_GROUP)}


_FIRST_STEPS = """\b
First steps:
  cbi run                    one pass over the simulated market
  cbi run --warehouse DIR    one pass over real tables
  cbi forecast               the latest forecast again
  cbi explain 1m             why it says so
  cbi up                     keep it running, with a page on http://127.0.0.1:8050

Settings come from CBI_* environment variables; an option goes before its variable. Exit codes: 0 done, 2 usage,
3 data rejected, 4 incomplete, 5 infrastructure."""


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_FIRST_STEPS,
)
@click.version_option(package_name="cbi-common", message="cbi %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; works anywhere on the line.")
def program(debug: bool) -> None:  # `main` takes --debug from the whole line, this documents it
    """Forecast soybean oil, or another market, one week to twelve months ahead."""


def main(arguments: list[str] | None = None) -> int:
    """Run the program on ``arguments`` (default: the command line) and return its exit code.

    Raises
    ------
    SystemExit
        After an error, which has been told on one line.
    """
    line = sys.argv[1:] if arguments is None else arguments
    # Google's clients announce the end of each Python version on stderr, three times per command.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
    with OneLine(debug="--debug" in line):
        code = program.main([word for word in line if word != "--debug"], prog_name="cbi", standalone_mode=False)
    return code if isinstance(code, int) else 0


class OneLine:
    """Turns whatever leaves its block into one line on stderr and an exit code."""

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug

    def __enter__(self) -> OneLine:
        """Start watching."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Leave the program when there was an error."""
        if error is None or isinstance(error, SystemExit):
            return
        if self._debug:
            traceback.print_exception(error)
        _leave(error)


def _leave(error: BaseException) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        raise SystemExit(0)
    if isinstance(error, click.ClickException):
        place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "cbi"
        click.echo(f"{place}: {error.format_message()} See `{place} --help`.", err=True)
        raise SystemExit(error.exit_code)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("interrupted; finished work is kept, run again to go on", err=True)
        raise SystemExit(_INTERRUPTED)
    if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0)
    if isinstance(error, CbiError):
        click.echo(f"cbi: {error.line()}", err=True)
        raise SystemExit(error.exit_code)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    click.echo(f"cbi: {what}; run again with --debug for the traceback and report it", err=True)
    raise SystemExit(_UNEXPECTED)


def _as_command(found: object) -> click.Command:
    if not isinstance(found, click.Command):
        raise ImportError(f"{found!r} is not a click command")
    return found


def _broken(name: str, error: Exception) -> click.Command:
    def fail() -> NoReturn:
        raise InfrastructureError(
            f"cannot be loaded: {error}", where=f"command {name}", hint="install its service again"
        ) from error

    return click.Command(name, callback=fail, short_help=f"(cannot be loaded: {error})")
