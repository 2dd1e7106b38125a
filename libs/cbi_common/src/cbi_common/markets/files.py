"""Market files: those that ship with the library, and the user's own."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from cbi_common.core.errors import DataError, UsageError
from cbi_common.markets.spec import Market


def known_markets() -> tuple[str, ...]:
    """Return the ids of the markets that ship with the library."""
    folder = files("cbi_common.markets")
    return tuple(sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def parse_market(text: str, *, where: str) -> Market:
    """Read a market file.

    Raises
    ------
    UsageError
        When it is not TOML, a field does not fit, or a reference leads nowhere.
    """
    try:
        return Market.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not TOML: {error}", where=where) from error
    except DataError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{place}: {message}" if place else message, where=where, hint="correct the market file"
        ) from None


def load_market(market: str, folder: str | None = None) -> Market:
    """Return a market by its id.

    Parameters
    ----------
    market : str
    folder : str or None
        Folder of the user's own market files, each called ``ID.toml``; one of them goes before the market of the same
        id that ships with the library.

    Raises
    ------
    UsageError
        When there is no such market (the message names the known ones), or its file is wrong.
    """
    own = _own_files(folder)
    if market in own:
        return _named(parse_market(_text(own[market]), where=str(own[market])), market, str(own[market]))
    shipped = known_markets()
    if market not in shipped:
        known = ", ".join(sorted({*shipped, *own}))
        raise UsageError(
            f"no market {market!r}", where="markets", hint=f"known are: {known}; CBI_MARKETS names a folder of others"
        )
    return _shipped(market)


@cache
def _shipped(market: str) -> Market:
    text = files("cbi_common.markets").joinpath(f"{market}.toml").read_text(encoding="utf-8")
    return _named(parse_market(text, where=f"markets/{market}.toml"), market, f"markets/{market}.toml")


def _own_files(folder: str | None) -> dict[str, Path]:
    if folder is None:
        return {}
    if not Path(folder).is_dir():
        raise UsageError(
            "no such folder", where=f"markets {folder}", hint="CBI_MARKETS names a folder of ID.toml files"
        )
    return {file.stem: file for file in sorted(Path(folder).glob("*.toml"))}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(file), hint="give a text file in UTF-8") from error


def _named(market: Market, name: str, where: str) -> Market:
    if market.id != name:
        raise UsageError(f"id is {market.id!r}", where=where, hint=f"a file is called as its market: {market.id}.toml")
    return market
