"""The poisoning proof: what a run says about the past must not change when its future does (DOMAIN section 6).

``python -m cbi_common.testing.poisoning JSON`` runs the pipeline once, in this fresh process, on an empty lake, and
writes every table that decides a forecast. `first_leak` compares two such runs.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cbi_common.core.errors import InfrastructureError
from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import Profile, RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.storage.tables import get_table
from cbi_common.testing.loopback import SERVICES, Loopback
from cbi_common.timeseries.leakage import first_difference


@dataclass(frozen=True)
class Pass:
    """One run: the warehouse and date it sees, the folder it may use, and the leak to plant in it."""

    warehouse: str
    home: str
    as_of: str
    profile: Profile = "smoke"
    leak: str | None = None
    """``module:function``, called before the pipeline starts."""
    services: tuple[str, ...] = SERVICES
    """Without all of them there is no forecast, and what the others made is compared."""
    market: str = "zl"
    markets: str | None = None
    scope: Literal["all", "used"] = "all"
    """Tables to audit and datasets to make, as in `DataRequested`."""


def run_in_fresh_process(one: Pass) -> Path:
    """Run the pipeline in a new process and return the folder of its tables.

    Raises
    ------
    InfrastructureError
        When the run did not end with a forecast.
    """
    command = [sys.executable, "-m", "cbi_common.testing.poisoning", json.dumps(asdict(one))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InfrastructureError((done.stderr.strip().splitlines() or ["no output"])[-1], where=one.home)
    return Path(one.home) / "tables"


def first_leak(before: Path, after: Path, until: int) -> str | None:
    """Return the first value up to session ``until`` that differs between two runs, or None.

    Outcomes that lie after ``until`` are the future itself and may differ.

    Raises
    ------
    InfrastructureError
        When the runs did not write the same tables: then nothing has been compared.
    """
    names = sorted(path.name for path in before.glob("*.parquet"))
    if not names or names != sorted(path.name for path in after.glob("*.parquet")):
        raise InfrastructureError("the two runs wrote different tables", where=str(after))
    for name in names:
        old, new = (_hide_future(pq.read_table(folder / name), until) for folder in (before, after))
        if found := first_difference(old, new, until):
            return f"{name}: {found}"
    return None


def _hide_future(table: pa.Table, until: int) -> pa.Table:
    if "target_session" not in table.column_names:
        return table
    matured = pc.less_equal(table["target_session"], pa.scalar(until))
    for index, name in enumerate(table.column_names):
        if name == "y":
            table = table.set_column(index, name, pc.if_else(matured, table[name], None))
    return table


async def _run(one: Pass) -> None:
    settings = {"warehouse": one.warehouse, "markets": one.markets, "retraining": False}
    loopback = Loopback(Path(one.home), tuple(one.services), **settings)
    await loopback.publish(
        DataRequested(market=one.market, as_of=date.fromisoformat(one.as_of), profile=one.profile, scope=one.scope)
    )
    if rejected := loopback.of(DataRejected):
        raise InfrastructureError(rejected[0].message, where="data.rejected")
    if failed := loopback.of(ModelFailed):
        raise InfrastructureError(failed[0].error, where=f"model.failed {failed[0].model_id}")
    refs = _tables(loopback)
    if set(SERVICES) <= set(one.services) and not loopback.of(ForecastReady):
        raise InfrastructureError("the run ended without a forecast", where=one.home)
    folder = Path(one.home) / "tables"
    folder.mkdir()
    for name, ref in refs.items():
        pq.write_table(get_table(loopback.kit.lake, ref), folder / f"{name}.parquet")
    pq.write_table(_refits(loopback), folder / "refits.parquet")


def _tables(loopback: Loopback) -> dict[str, LakeRef]:
    (exported,) = loopback.of(DataExported)
    return {
        **{f"dataset-{name}": data.ref for name, data in exported.datasets.items()},
        **{f"model-{m.model_id}-{m.horizon}": m.predictions for m in loopback.of(ModelTrained)},
        **{f"regime-{found.as_of}": found.history for found in loopback.of(RegimeDetected)},
        **{f"served-{found.as_of}": found.served for found in loopback.of(ForecastReady)},
    }


def _refits(loopback: Loopback) -> pa.Table:
    (exported,) = loopback.of(DataExported)
    manifest = RunManifest.model_validate(loopback.kit.lake.get_json(exported.manifest))
    return pa.Table.from_pylist(
        [
            {"session": r.session, "models": ",".join(r.model_ids), "usable": _usable(manifest, r.session)}
            for r in manifest.refits
        ]
    )


def _usable(manifest: RunManifest, session: int) -> str:
    columns = (
        f"{name}.{column}"
        for name, starts in sorted(manifest.usable_from.items())
        for column, start in sorted(starts.items())
        if start <= session
    )
    return ",".join(columns)


def main() -> None:
    """Run one pass as told by the JSON argument."""
    one = Pass(**json.loads(sys.argv[1]))
    if one.leak:
        module, _, name = one.leak.partition(":")
        getattr(importlib.import_module(module), name)()
    asyncio.run(_run(one))
    sys.stdout.flush()
    os._exit(0)  # all is written; native threads of the libraries may abort at interpreter exit


if __name__ == "__main__":
    main()
