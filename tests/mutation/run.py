"""Mutation testing: which small faults in the timeseries core and the gates do their unit tests notice? `make mutants`.

mutmut wants one flat ``src``, and here packages lie in several distributions: so packages, tests and settings are laid
out flat in a folder of their own, where mutmut runs. No file of the tree is ever mutated.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "var" / "mutants"
PAGE = ROOT / "docs" / "mutation.md"
PACKAGES = ("libs/cbi_common/src/cbi_common", "services/promoter/src/promoter")
TESTS = ("tests/unit/timeseries", "tests/unit/promoter")
GATES = ("benchmark", "evalues", "evidence", "gates", "response", "shadow")
MUTATED = ("src/cbi_common/timeseries/*.py", *(f"src/promoter/domain/{gate}.py" for gate in GATES))
NOT_MUTATED = ("src/cbi_common/timeseries/nets/*",)
"""Trained nets in NumPy are held to Keras itself, in tests/unit/trainer_metal."""

LEAST = 0.85
HEAD = "| module | mutants | killed | survived | timeouts | equivalent | kill rate |\n|---|---|---|---|---|---|---|"

SETTINGS = f"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = {json.dumps(MUTATED)}
do_not_mutate = {json.dumps(NOT_MUTATED)}
pytest_add_cli_args = ["--hypothesis-seed=0", "-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin"]
pytest_add_cli_args_test_selection = {json.dumps(TESTS)}
"""


@dataclass(frozen=True)
class Mutant:
    module: str
    name: str
    outcome: str
    was: str
    becomes: str

    @property
    def change(self) -> tuple[str, str, str]:
        return self.module, self.was, self.becomes


def lay_out() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, WORK / "src" / Path(package).name)
    for tests in TESTS:
        shutil.copytree(ROOT / tests, WORK / tests)
    shutil.copy2(ROOT / "tests/conftest.py", WORK / "tests/conftest.py")
    (WORK / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + SETTINGS)


def mutate(patterns: list[str]) -> None:
    # Plugins that no test here uses cost more than the tests; without the word of CI, real tables are not asked for.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *patterns]
    subprocess.run(command, cwd=WORK, env=environment, check=True)


def mutants() -> list[Mutant]:
    os.chdir(WORK)
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    found = []
    for pattern in MUTATED:
        for path in sorted(Path().glob(pattern)):
            for name, code in json.loads(Path("mutants", f"{path}.meta").read_text())["exit_code_by_key"].items():
                outcome, lines = status_by_exit_code[code], ["", ""]
                if outcome not in {"killed", "not checked"}:
                    diff = get_diff_for_mutant(name, path=path).splitlines()[2:]
                    lines = [" ".join(line[1:].strip() for line in diff if line.startswith(sign)) for sign in "-+"]
                found.append(Mutant(path.stem, name, outcome, *lines))
    return found


def equivalents() -> dict[tuple[str, str, str], str]:
    raw = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())
    return {(one["module"], one["was"], one["becomes"]): one["why"] for one in raw.get("mutant", [])}


def table(found: list[Mutant], known: dict[tuple[str, str, str], str]) -> tuple[list[str], list[str]]:
    """Rows of the table, one per module, and the modules in which too few are noticed."""
    rows, weak = [], []
    for module in dict.fromkeys(m.module for m in found):
        own = [m for m in found if m.module == module and m.outcome != "not checked"]
        count = Counter("equivalent" if m.change in known else m.outcome for m in own)
        noticed, counted = count["killed"] + count["timeout"], len(own) - count["equivalent"]
        if counted:
            rate = noticed / counted
            figures = (len(own), count["killed"], counted - noticed, count["timeout"], count["equivalent"])
            rows.append(f"| {module} | {' | '.join(map(str, figures))} | {rate:.0%} |")
            weak += [module] if rate <= LEAST else []
    return rows, weak


def main(patterns: list[str]) -> int:
    lay_out()
    mutate(patterns)
    found, known = mutants(), equivalents()
    for m in found:
        if m.outcome not in {"killed", "timeout", "not checked"} and m.change not in known:
            print(f"{m.name}: {m.outcome}\n  - {m.was}\n  + {m.becomes}")
    rows, weak = table(found, known)
    print(HEAD, *rows, sep="\n")
    unused = [] if patterns else sorted(set(known) - {m.change for m in found})
    for one in unused:
        print("equivalent.toml: nothing survives by this change", *one, sep="\n  ")
    if weak:
        print(f"at most {LEAST:.0%} noticed: {', '.join(weak)}")
    return 1 if weak or unused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
