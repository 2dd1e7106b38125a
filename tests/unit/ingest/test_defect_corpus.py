"""Every kind of flaw, put into clean tables at three intensities: the gate finds all, and nothing in clean tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbi_common.markets.flaws import FLAWS, INTENSITIES, Spoiled, spoil
from cbi_common.markets.simulation import Setting
from cbi_common.markets.simulation.tables import Tables
from ingest import jobs

SEED, SESSIONS = 21, 900

Batch = tuple[str, ...]


@cache
def clean(seed: int = SEED) -> dict[str, pa.Table]:
    tables = Tables(Setting(SESSIONS, seed))
    return {name: tables.make(name) for name in tables.names}


def batches() -> Iterator[Batch]:
    """Group flaws so that no two of a batch touch the same column, or rows of the same table."""
    left = list(FLAWS)
    while left:
        batch: list[str] = []
        for name in left:
            if not any(_interfere(name, other) for other in batch):
                batch.append(name)
        left = [name for name in left if name not in batch]
        yield tuple(batch)


def _interfere(one: str, other: str) -> bool:
    first, second = FLAWS[one], FLAWS[other]
    if first.place.table != second.place.table:
        return False
    # A flaw of whole rows has no columns of its own: it goes with no other in its table.
    columns = [set(flaw.place.columns) if flaw.tells_column else set() for flaw in (first, second)]
    return not all(columns) or bool(columns[0] & columns[1])


BATCH_OF = {name: batch for batch in batches() for name in batch}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


class Corpus:
    """Folders with flaws and the gate's verdict on each, made once per batch and intensity."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._judged: dict[tuple[Batch, int], tuple[dict[str, Spoiled], dict[str, Any]]] = {}
        write(clean(), root / "clean")

    def judged(self, name: str, intensity: int) -> tuple[Spoiled, dict[str, Any]]:
        """Return the spoiled table of a flaw, and the gate's verdict on the folder it lies in."""
        key = (BATCH_OF[name], intensity)
        if key not in self._judged:
            self._judged[key] = self._judge(*key)
        spoilt, verdict = self._judged[key]
        return spoilt[name], verdict

    def _judge(self, batch: Batch, intensity: int) -> tuple[dict[str, Spoiled], dict[str, Any]]:
        tables, spoilt = dict(clean()), {}
        for name in batch:
            spoilt[name] = spoil(name, tables, intensity, SEED)
            tables[FLAWS[name].place.table] = spoilt[name].table
        folder = self._root / f"{batch[0]}-{intensity}"
        folder.mkdir()
        for name, table in tables.items():
            if table is clean()[name]:
                (folder / f"{name}.parquet").symlink_to(self._root / "clean" / f"{name}.parquet")
            else:
                pq.write_table(table, folder / f"{name}.parquet")
        return spoilt, judge(folder)


def write(tables: dict[str, pa.Table], folder: Path) -> None:
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")


def judge(folder: Path) -> dict[str, Any]:
    return jobs.quality({"warehouse": str(folder), "market": "zl", "as_of": None})


@pytest.mark.parametrize("intensity", INTENSITIES)
@pytest.mark.parametrize("name", FLAWS)
def test_the_gate_finds_the_flaw(corpus: Corpus, name: str, intensity: int) -> None:
    flaw, (spoilt, verdict) = FLAWS[name], corpus.judged(name, intensity)
    findings = verdict["tables"][flaw.place.table]["findings"]
    found = [finding for finding in findings if finding["check"] == flaw.check]
    assert found, f"found instead: {sorted({finding['check'] for finding in findings})}"
    counts = [finding["count"] for finding in found]
    if flaw.tells_column:
        by_column = {column: finding["count"] for finding in found for column in finding["columns"]}
        assert set(spoilt.columns) <= by_column.keys()
        counts = [by_column[column] for column in spoilt.columns]
    if spoilt.count is not None:
        # A wrong row is counted once for each column that is read from it.
        assert set(counts) == {spoilt.count}


@pytest.mark.parametrize("seed", [SEED, 1, 2, 3])
def test_the_gate_finds_nothing_in_clean_tables(seed: int, tmp_path: Path) -> None:
    tables = clean(seed)
    write(tables, tmp_path / "tables")
    verdict = judge(tmp_path / "tables")
    assert verdict["refused"] is None
    # A quiet market has no day of high volatility: its flag really says nothing.
    truly_constant = {
        (name, "constant", column)
        for name, table in tables.items()
        for column in table.column_names
        if column.startswith("is_") and len(table[column].unique()) == 1
    }
    false_alarms = {
        (table, finding["check"], *finding["columns"])
        for table, judged in verdict["tables"].items()
        for finding in judged["findings"]
        if finding["severity"] != "info"
    }
    assert false_alarms == truly_constant


def test_every_kind_of_flaw_has_a_place_in_one_batch() -> None:
    assert set(BATCH_OF) == set(FLAWS)
    assert len(set(BATCH_OF.values())) <= 5
