"""What ``cbi simulate`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

from cbi_common.markets.flaws import FLAWS
from cbi_common.markets.simulation.faults import FAULTS
from cbi_common.markets.simulation.truth import reveal
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime import console
from cbi_common.storage.simulated import SimulatedWarehouse
from cbi_common.storage.simulated_folder import check_truth_file, write_folder, write_marked


def write(folder: str, truth: str | None, asked: Mapping[str, object], *, as_json: bool) -> None:
    """Write the market, and its truth when there is a file for it, and say what was written.

    Parameters
    ----------
    folder : str
    truth : str or None
    asked : mapping
        ``force``, and parameters of `SimulatedWarehouse`; those that are None or empty are left out.
    as_json : bool

    Raises
    ------
    UsageError
        For a parameter out of its range, a folder that holds something else, a place for the truth inside of it.
    """
    chosen = {name: value for name, value in asked.items() if name != "force" and value not in (None, "")}
    warehouse = SimulatedWarehouse(f"simulated?{urlencode(chosen, safe=',:')}", seed=0)
    warehouse.setting.days()
    if truth is not None:
        check_truth_file(Path(truth), Path(folder))
    written = write_folder(warehouse, Path(folder), force=bool(asked["force"]))
    note = f"next: cbi run --warehouse {folder}"
    if truth is not None:
        days = write_marked(reveal(warehouse.setting).table(), Path(truth), warehouse.label).rows
        note = f"the truth of {days:,} days lies in {truth}"
    if as_json:
        found = {"warehouse": folder, "simulated": True, "market": warehouse.label, "truth": truth}
        console.write_json(found | {"tables": [asdict(file) for file in written]})
        return
    rows = tuple((file.name, f"{file.rows:,}", str(file.columns), f"{file.bytes / 1e6:,.1f}") for file in written)
    console.simulated_banner(True)
    console.show(Table(f"{warehouse.label} in {folder}", columns("<table", "rows", "columns", "MB"), rows, note))


def show_flaws(*, as_json: bool) -> None:
    """List the flaws there are: name, check that finds it, table."""
    found = {name: (flaw.check, flaw.place.table) for name, flaw in FLAWS.items()}
    if as_json:
        console.write_json({name: {"check": check, "table": table} for name, (check, table) in found.items()})
        return
    rows = tuple((name, *where) for name, where in found.items())
    note = "write NAME or NAME:INTENSITY, separated by commas"
    console.show(Table("Flaws for --flaws", columns("<flaw", "<found by", "<table"), rows, note))


def show_faults(*, as_json: bool) -> None:
    """List the faults there are: name, and what happens from its day on."""
    if as_json:
        console.write_json(FAULTS)
        return
    note = "write NAME:DATE, separated by commas"
    console.show(Table("Faults for --faults", columns("<fault", "<from its day on"), tuple(FAULTS.items()), note))
