"""The simulated market as a folder of Parquet files, marked so that nobody takes it for a real one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.core.errors import UsageError
from cbi_common.storage.warehouse import SIMULATED_MARK, TABLE_NAME, Warehouse


@dataclass(frozen=True)
class Written:
    """A file that was written."""

    name: str
    rows: int
    columns: int
    bytes: int


def write_folder(warehouse: Warehouse, folder: Path, *, force: bool) -> tuple[Written, ...]:
    """Write every table of a simulated warehouse as ``DATASET.TABLE.parquet`` with the mark of the simulation.

    Parameters
    ----------
    warehouse : Warehouse
        A simulated one.
    folder : Path
        Made when it does not exist.
    force : bool
        Write even though the folder holds something else; what has another name stays.

    Raises
    ------
    UsageError
        When the folder is a file or, without ``force``, holds anything but this very market.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("is no folder", where=str(folder), hint="give a folder")
    if folder.is_dir() and not force and not _holds_nothing_else(folder, warehouse):
        raise UsageError("holds something else", where=str(folder), hint="give an empty folder, or --force")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in warehouse.tables():
        table = warehouse.read(name)
        written.append(write_marked(table, folder / f"{name}.parquet", warehouse.label))
    return tuple(written)


def write_marked(table: pa.Table, file: Path, label: str) -> Written:
    """Write a table whole or not at all, with ``label`` as the mark of the simulation."""
    beside = file.with_name(f".{file.name}.part")
    pq.write_table(table.replace_schema_metadata({SIMULATED_MARK: label.encode()}), beside)
    beside.replace(file)
    return Written(file.stem, table.num_rows, table.num_columns, file.stat().st_size)


def check_truth_file(file: Path, folder: Path) -> None:
    """Refuse a place for the truth where something that forecasts could read it.

    Raises
    ------
    UsageError
        For a file inside the warehouse folder, one named like a table, or one that is there already.
    """
    where = f"--truth {file}"
    if file.resolve().is_relative_to(folder.resolve()):
        raise UsageError("lies inside the warehouse folder", where=where, hint="nothing that forecasts may read it")
    if file.suffix != ".parquet" or TABLE_NAME.fullmatch(file.stem):
        raise UsageError("must be a Parquet file that is no table", where=where, hint="name it truth.parquet")
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError("cannot be written there", where=where, hint="name a file in a folder that there is")


def _holds_nothing_else(folder: Path, warehouse: Warehouse) -> bool:
    ours = {f"{name}.parquet" for name in warehouse.tables()}
    return all(entry.name in ours and _label(entry) == warehouse.label for entry in folder.iterdir())


def _label(file: Path) -> str | None:
    try:
        found = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    mark = found.get(SIMULATED_MARK)
    return None if mark is None else mark.decode()
