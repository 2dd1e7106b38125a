"""What ``cbi verify`` does: proofs go to the lake, and the promoter is asked to judge the run again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.clock import system_clock
from cbi_common.core.errors import IncompleteError, InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.events.promotion import GatesRequested
from cbi_common.events.proofs import CeilingProof, LeakageProof, ceiling_key, leakage_key
from cbi_common.markets.simulation.truth import reveal
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import in_order
from cbi_common.runtime import console
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus, until_done
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.lock import StackLock
from cbi_common.runtime.program import program_digest
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.simulated import SimulatedWarehouse
from cbi_common.storage.simulated_folder import write_folder
from cbi_common.storage.tables import get_table
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.timeseries.calendar import session_numbers

_SIMULATED = "simulated"


def leakage(run: Run, lake_name: str | None, profile: str | None, *, as_json: bool) -> int:
    """Run the poisoning proof on the tables of a run, store it, and ask for the gates again."""
    settings, export = Settings.load(lake=lake_name), _export(run)
    lake = Lake(settings.lake)
    assert export.manifest is not None  # a complete export has one
    manifest = RunManifest.model_validate(lake.get_json(export.manifest))
    chosen, program = profile or manifest.profile, program_digest()
    with TemporaryDirectory(prefix="cbi-proof-") as home:
        task = {
            "warehouse": _folder(export, Path(home) / "warehouse"),
            "home": home,
            "as_of": manifest.as_of.isoformat(),
            "profile": chosen,
            "market": manifest.market,
            "markets": settings.markets,
            "parallel": max(settings.worker_slots, 1),
        }
        if not as_json:
            click.echo(f"14 passes with profile {chosen} on {export.warehouse}, {task['parallel']} at a time …")
        found = _proved(task)
    proof = LeakageProof(
        code=program,
        market=market_of(lake, manifest).sha256,
        profile=chosen,
        warehouse=export.warehouse or "",
        as_of=manifest.as_of,
        cutoffs=tuple(found["cutoffs"]),
        leaks=found["leaks"],
        planted=found["planted"],
        models=tuple(sorted({model.id for model in load_catalogue().of_profile(chosen)})),
    )
    key = leakage_key(code=proof.code, market=proof.market, catalogue=manifest.catalogue_sha256, profile=chosen)
    lake.put_json(key, proof.model_dump(mode="json"))
    _ask(lake_name, run, export, f"leakage proof {key}")
    if as_json:
        console.write_json({**proof.model_dump(mode="json"), "problems": proof.problems})
    else:
        for problem in proof.problems:
            click.echo(f"LEAK  {problem}")
        click.echo(_outcome(proof))
    return 4 if proof.problems else 0


def ceiling(run: Run, lake_name: str | None, *, as_json: bool) -> int:
    """Score the forecaster who knows the simulated process on the rows of a run."""
    settings, export = Settings.load(lake=lake_name), _export(run)
    if not export.simulated or not (export.warehouse or "").startswith(_SIMULATED):
        raise UsageError(
            "the truth of this market is not known", where=f"run {export.run_id}", hint="only of a simulated one it is"
        )
    if run.forecast is None:
        raise IncompleteError("it has no forecast", where=f"run {export.run_id}")
    lake, forecast = Lake(settings.lake), run.forecast.data
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    truth = reveal(_simulated(export).setting)
    sessions = session_numbers(truth.days)[0]
    scores = {
        horizon: _known(lake, forecast, manifest, horizon, sessions, truth.expected["vix"][horizon])
        for horizon in in_order(forecast.forecasts)
    }
    proof = CeilingProof(
        warehouse=export.warehouse or "",
        run_id=forecast.run_id,
        r2_against_no_change={h: r2 for h, (r2, _) in scores.items()},
        skill={h: skill for h, (_, skill) in scores.items()},
    )
    lake.put_json(ceiling_key(forecast.run_id), proof.model_dump(mode="json"))
    _ask(lake_name, run, export, f"ceiling of {forecast.run_id}")
    if as_json:
        console.write_json(proof.model_dump(mode="json"))
    else:
        for horizon, (r2, skill) in scores.items():
            click.echo(
                f"{horizon}: whoever knows this market has a skill of {skill:.1%}, R² against no-change {r2:.3f}"
            )
    return 0


def _known(
    lake: Lake, forecast: ForecastReady, manifest: RunManifest, horizon: Horizon, sessions: Any, expected: Any
) -> tuple[float, float]:
    table, window = get_table(lake, forecast.served), manifest.windows[horizon]
    rows = {name: table[name].to_numpy() for name in ("horizon", "session", "price", "y")}
    scored = (rows["horizon"] == str(horizon)) & (rows["session"] >= window.start) & (rows["session"] <= window.end)
    scored &= ~np.isnan(rows["y"])
    said = expected[np.searchsorted(sessions, rows["session"][scored])]
    price, y = rows["price"][scored], rows["y"][scored]
    error, naive = price * (np.exp(said) - np.exp(y)), price * (1.0 - np.exp(y))
    r2 = 1.0 - float((error**2).sum() / (naive**2).sum())
    return r2, 1.0 - float(np.abs(error).mean() / np.abs(naive).mean())


def _export(run: Run) -> DataExported:
    if run.export is None:
        raise IncompleteError("it has no export", where=f"run {run.correlation_id}", hint="`cbi run` makes one")
    return run.export.data


def _folder(export: DataExported, scratch: Path) -> str:
    """Return a folder of the run's tables: the proof changes copies of files."""
    source = export.warehouse or ""
    if source.startswith(_SIMULATED):
        write_folder(_simulated(export), scratch, force=False)
        return str(scratch)
    if Path(source).is_dir():
        return source
    raise UsageError(
        f"the proof needs files that it can change, not {source}", where="cbi verify leakage",
        hint="write the tables to a folder and run on that",
    )  # fmt: skip


def _simulated(export: DataExported) -> SimulatedWarehouse:
    found = open_warehouse(export.warehouse or "")
    assert isinstance(found, SimulatedWarehouse)  # the caller has looked at the address
    return found


def _proved(task: dict[str, Any]) -> dict[str, Any]:
    # A process of its own: what runs the pipeline without a bus is no part of what the services run.
    command = [sys.executable, "-m", "cbi_common.testing.proving", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise InfrastructureError(f"the proof could not be made: {last}", where="cbi verify leakage")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _outcome(proof: LeakageProof) -> str:
    if proof.problems:
        return "the proof does NOT hold"
    return f"the past stood still at {len(proof.cutoffs)} cutoffs, all {len(proof.planted)} planted leaks were found"


def _ask(lake_name: str | None, run: Run, export: DataExported, reason: str) -> None:
    assert export.run_id is not None  # a complete export has one
    data = GatesRequested(market=export.market, run_id=export.run_id, reason=reason)
    last = run.explanation or run.events[-1]

    async def send(bus: Bus, _settings: Settings) -> None:
        # It belongs to the run: what the gates say then replaces what they said before.
        event: Envelope[Any] = last.caused(data, source="cli", now=system_clock(), discriminator=reason)
        await bus.publish(event)

    settings = Settings.load(lake=lake_name)
    if settings.nats_url is not None or StackLock.held(settings.stack_dir):
        on_the_bus(lake_name, send)
    else:
        until_done(_judged(settings, send))


async def _judged(settings: Settings, send: Callable[[Bus, Settings], Awaitable[None]]) -> None:
    """Run the services for as long as it takes."""
    quiet = {"retraining": False, "schedules": False, "smtp_host": None, "dashboard_port": None, "tracking": "off"}
    async with Stack(settings.model_copy(update=quiet)) as stack:
        await send(stack.bus, settings)
        await stack.idle()
