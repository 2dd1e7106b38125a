"""What is installed: pinned, asked for, and under a licence that lets us pass it on. Needs no network.

``make check`` runs it; what is known to be vulnerable only the network can say: ``make audit``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LICENCES = re.compile(
    r"(?i)\b(MIT|MIT-0|MIT-CMU|BSD|BSD-[23]-clause|[23]-clause bsd|apache|apache-2\.0|ISC|PSF|PSF-2\.0|"
    r"python software foundation|MPL|MPL-2\.0|mozilla|NCSA|unlicense|zlib|0BSD)\b"
)
FORBIDDEN = re.compile(
    r"(?i)\b(AGPL|GPL|GPLv[23]|SSPL|BUSL|commercial|proprietary|non-?commercial)\b|affero|(?<!lesser )general public"
)
SAID_ELSEWHERE = {"fugue": "Apache-2.0", "namex": "Apache-2.0", "axe-playwright-python": "MIT"}
"""Licences that stand in the source and not in the metadata."""
BEGINNINGS = {"pip", "setuptools", "wheel", "uv"}
"""What installs the rest."""


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    installed = {canonicalize_name(d.metadata["Name"]): d for d in distributions()}
    ours = {name: d for name, d in installed.items() if name.startswith("cbi-")}
    others = {name: d for name, d in installed.items() if name not in ours}
    wrong = [*unpinned(others, pins(ROOT / "constraints.txt")), *unasked(installed, ours), *unlicensed(others)]
    for line in wrong:
        sys.stderr.write(f"audit: {line}\n")
    return 1 if wrong else 0


def pins(file: Path) -> dict[str, str]:
    """Return the pinned version of each distribution for this machine."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        need = Requirement(line)
        (pin,) = need.specifier
        if need.marker is None or need.marker.evaluate():
            found[canonicalize_name(need.name)] = pin.version
    return found


def unpinned(installed: dict[str, Distribution], pinned: dict[str, str]) -> Iterator[str]:
    """Yield what is installed in another version than the pinned one, or is not pinned."""
    for name, found in sorted(installed.items()):
        wanted = pinned.get(name)
        if wanted is None and name in BEGINNINGS:
            continue  # it came with Python
        if wanted != found.version:
            told = f"pinned is {wanted}" if wanted else "it is not pinned"
            yield f"{name} {found.version} is installed and {told}; run `make setup`, or `make lock` for a new one"


def unasked(installed: dict[str, Distribution], ours: Iterable[str]) -> Iterator[str]:
    """Yield what nothing of ours needs, however far away."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    waiting = [(name, frozenset[str]()) for name in (*ours, *BEGINNINGS)]
    waiting += [_asked(Requirement(line)) for line in groups["dev"]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        if one in seen or one[0] not in installed:
            continue
        seen.add(one)
        for line in installed[one[0]].requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *one[1])):
                waiting.append(_asked(need))
    for name in sorted(installed.keys() - {name for name, _ in seen}):
        yield f"{name} is installed and nothing needs it; uninstall it, or name it in a pyproject.toml"


def _asked(need: Requirement) -> tuple[str, frozenset[str]]:
    return canonicalize_name(need.name), frozenset(need.extras)


def unlicensed(installed: dict[str, Distribution]) -> Iterator[str]:
    """Yield what is under no licence that we know to be permissive."""
    for name, found in sorted(installed.items()):
        about = found.metadata
        classified = [c for c in about.get_all("Classifier") or () if c.startswith("License ::")]
        said = SAID_ELSEWHERE.get(name) or about.get("License-Expression") or "; ".join(classified)
        said = said or (about.get("License") or "").partition("\n")[0]
        if FORBIDDEN.search(said) or not LICENCES.search(said):
            yield f"{name} {found.version} is under {said.strip() or 'a licence it does not name'!r}; look at it first"


if __name__ == "__main__":
    sys.exit(main())
