"""The whole poisoning proof of one warehouse folder: five poisoned futures, and planted leaks that must be found.

``python -m cbi_common.testing.proving JSON`` prints the outcome as JSON; every pass runs in a fresh process of its own.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.events.manifest import Profile
from cbi_common.markets.files import load_market
from cbi_common.testing.folders import rewrite
from cbi_common.testing.poisoning import Pass, first_leak, run_in_fresh_process
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.leakage import Mode, poison

LEAKS = {
    "centred_feature": ("ingest",),
    "labels_before_they_mature": ("ingest", "trainer-cpu"),
    "scaler_on_all_rows": ("ingest", "trainer-metal"),
    "two_sided_regime": ("ingest", "regime"),
}
"""Planted leak to the services that it needs."""

MODES: tuple[Mode, ...] = ("noise", "delete", "append")

_BACK = (700, 533, 402, 251, 88)
"""Sessions before the last: inside the scored and burn-in windows, none on a grid of the others."""


@dataclass(frozen=True)
class Task:
    """What is to be proved: the pipeline on a folder of tables, as of a day, with a profile; ``home`` is scratch."""

    warehouse: str
    home: str
    as_of: str
    profile: Profile = "smoke"
    market: str = "zl"
    markets: str | None = None
    parallel: int = 2

    @property
    def cutoffs(self) -> list[int]:
        """Sessions after which the data are poisoned."""
        last = session_number(date.fromisoformat(self.as_of))
        return [last - back for back in _BACK]


def poisoned(task: Task, cutoff: int) -> Path:
    """Write a copy of the warehouse whose rows after a session are noise, lack some, and are followed by others."""
    market = load_market(task.market, task.markets)
    date_of = {series.table: series.date for series in market.series}
    date_of |= {dataset.table: dataset.date for dataset in market.datasets}
    rng = np.random.default_rng(cutoff)
    after, as_of = session_date(cutoff), date.fromisoformat(task.as_of)

    def change(name: str, table: pa.Table) -> pa.Table:
        if name not in date_of:
            return table
        # A run needs a price at its as_of, whatever else was deleted.
        last = pc.equal(pc.cast(table[date_of[name]], pa.date32()), pa.scalar(as_of))
        kept, rest = table.filter(last), table.filter(pc.invert(last))
        for mode in MODES:
            rest = poison(rest, date_of[name], after, mode, rng)
        return pa.concat_tables([rest, kept])

    copy = Path(task.home) / f"poisoned-{cutoff}"
    rewrite(Path(task.warehouse), copy, change)
    return copy


def one_pass(task: Task, warehouse: Path | str, home: Path, leak: str | None = None) -> Path:
    """Run one pass in a fresh process and return its tables."""
    home.mkdir(parents=True)
    one = Pass(str(warehouse), str(home), task.as_of, profile=task.profile, market=task.market, markets=task.markets)
    if leak is not None:
        one = replace(one, leak=f"cbi_common.testing.leaks:{leak}", services=LEAKS[leak], scope="used")
    return run_in_fresh_process(one)


def stands_still(task: Task, copies: dict[int, Path]) -> dict[int, str | None]:
    """Return each cutoff to the first value before it that its poison changed; None: nothing did.

    A poison that changed nothing at all, not even at the end, is named as well: then nothing has been proved.
    """
    home = Path(task.home) / "still"
    with ThreadPoolExecutor(task.parallel) as pool:
        clean = pool.submit(one_pass, task, task.warehouse, home / "clean")
        dirty = {c: pool.submit(one_pass, task, folder, home / str(c)) for c, folder in copies.items()}
        found = {}
        for cutoff, run in dirty.items():
            found[cutoff] = first_leak(clean.result(), run.result(), until=cutoff)
            if found[cutoff] is None and first_leak(clean.result(), run.result(), until=10**6) is None:
                found[cutoff] = "the poison changed nothing anywhere"
        return found


def finds_planted(task: Task, cutoff: int, poison_of: Path) -> dict[str, str | None]:
    """Return each planted leak to where it was found, None where it was not; with profile smoke, which has them all."""
    task = replace(task, profile="smoke")
    home = Path(task.home) / "planted"
    with ThreadPoolExecutor(task.parallel) as pool:
        runs = {
            leak: (
                pool.submit(one_pass, task, task.warehouse, home / leak / "clean", leak),
                pool.submit(one_pass, task, poison_of, home / leak / "poisoned", leak),
            )
            for leak in LEAKS
        }
        return {leak: first_leak(a.result(), b.result(), until=cutoff) for leak, (a, b) in runs.items()}


def prove(task: Task) -> dict[str, Any]:
    """Return the task with ``cutoffs``, ``leaks`` (cutoff to the value that changed) and ``planted``."""
    copies = {cutoff: poisoned(task, cutoff) for cutoff in task.cutoffs}
    still = stands_still(task, copies)
    middle = task.cutoffs[2]
    return {
        **asdict(task),
        "cutoffs": task.cutoffs,
        "leaks": {str(cutoff): where for cutoff, where in still.items() if where is not None},
        "planted": finds_planted(task, middle, copies[middle]),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(prove(Task(**json.loads(sys.argv[1])))) + "\n")
