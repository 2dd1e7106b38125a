"""What the commands of promotion do and print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.promotion import GateReport
from cbi_common.reporting.card import Terms, model_card
from cbi_common.reporting.tables import Table, columns
from cbi_common.runtime import console
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.program import program_digest
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake
from promoter.champion_views import show_champion
from promoter.domain.promotion import Promotion
from promoter.target_setup import target_of, with_promoting

if TYPE_CHECKING:
    from cbi_common.runtime.commands.options import View


@dataclass(frozen=True)
class Asked:
    """What ``cbi promote`` was asked for."""

    horizons: tuple[str, ...]
    policy: str
    target: str
    share: int
    without_shadow: bool
    yes: bool


def promote(view: View, asked: Asked) -> int:
    """Say what would be done, and with ``yes`` do it."""
    reports: dict[Horizon, GateReport] = view.part("gates")
    policy, yes = asked.policy, asked.yes
    horizons = _passing(reports, asked.horizons, policy)
    if not horizons:
        _refused(view, reports, asked.horizons, policy)
        return 4
    settings = Settings.load(lake=view.lake)
    compared = _compared(view, horizons)
    undecided = [f"{h}: {said}" for h, (decided, said) in compared.items() if not decided]
    if undecided and not asked.without_shadow:
        for line in undecided:
            click.echo(line, err=view.as_json)
        click.echo("the shadow has not decided for it; --without-shadow promotes all the same", err=view.as_json)
        return 4
    shadow = "left out" if undecided else "; ".join(f"{h} {said}" for h, (_, said) in compared.items())
    wanted = _wanted(view, settings, horizons, asked, shadow)
    steps = target_of(settings, asked.target, asked.share).plan(wanted)
    if not view.as_json:
        console.simulated_banner(view.run.simulated)
        rows = tuple((str(i + 1), step.name, step.says, step.cost or "nothing") for i, step in enumerate(steps))
        title = f"Promotion of run {wanted.run_id} at {', '.join(map(str, horizons))} by policy {policy}"
        note = "" if yes else "nothing has been done: add --yes"
        console.show(Table(title, columns("", "<step", "<does", "<costs"), rows, note))
    if not yes:
        if view.as_json:
            steps_json = [step.model_dump(mode="json") for step in steps]
            console.write_json({"promotion": wanted.model_dump(mode="json"), "steps": steps_json, "done": False})
        return 0
    card = model_card(view.run, wanted.horizons, Terms(wanted.version, wanted.target, policy, shadow))
    after = with_promoting(view.lake, lambda promoting: promoting.promote(wanted, reports, card), asked.share)
    show_champion(after, wanted.market, as_json=view.as_json)
    for line in _aliased(settings, wanted):
        click.echo(line, err=True)
    return 0


def abandon(view: View) -> int:
    """Give up a promotion under way."""
    market = view.need(view.run.export, "export").data.market
    given_up = with_promoting(
        view.lake, lambda promoting: promoting.abandon(market, simulated=bool(view.run.simulated))
    )
    if given_up is None:
        raise UsageError("no promotion is under way", where=f"market {market}", hint="`cbi champion` shows who serves")
    click.echo(f"given up: run {given_up.run_id}, what it had left at target {given_up.target} is taken away")
    return 0


def package(view: View, folder: str) -> None:
    """Write a package into a folder."""
    from promoter.packaging import write_package

    place = Path(folder)
    if place.exists() and any(place.iterdir()):
        raise UsageError("not empty", where=folder, hint="name a new folder")
    place.mkdir(parents=True, exist_ok=True)
    forecast = view.need(view.run.forecast, "forecast").data
    explained = view.run.explanation.data if view.run.explanation else None
    made = write_package(Lake(Settings.load(lake=view.lake).lake), forecast, explained, place)
    if view.as_json:
        console.write_json({"folder": folder, "run_id": made.run_id, "horizons": [str(h) for h in made.horizons]})
        return
    members = {member.model_id for horizon in made.horizons.values() for member in horizon.members}
    click.echo(f"run {made.run_id}, {len(made.horizons)} horizons, {len(members)} models: cbi serve --package {folder}")


def _passing(reports: dict[Horizon, GateReport], only: Sequence[str], policy: str) -> tuple[Horizon, ...]:
    known = sorted({name for report in reports.values() for name in report.policies})
    if policy not in known:
        raise click.BadParameter(f"{policy!r} is not one of {', '.join(known)}", param_hint="--policy")
    asked = [h for h in reports if not only or str(h) in only]
    return tuple(h for h in asked if reports[h].policies[policy].verdict == "pass")


def _aliased(settings: Settings, promoted: Promotion) -> list[str]:
    """Give MLflow's alias to what serves, and say where that was not possible: it decides nothing."""
    if settings.tracking_uri is None:
        return []
    from cbi_common.storage.tracking.registry import set_champion

    said = []
    for horizon in promoted.horizons:
        try:
            set_champion(
                settings.tracking_uri, market=promoted.market, horizon=str(horizon), run_id=promoted.run_id,
                simulated=promoted.simulated,
            )  # fmt: skip
        except (UsageError, InfrastructureError) as error:
            said.append(f"MLflow's alias champion is not set: {error.line()}")
    return said


def _compared(view: View, horizons: tuple[Horizon, ...]) -> dict[Horizon, tuple[bool, str]]:
    """Return whether the shadow has decided for the run, and what it says, horizon by horizon."""
    run_id = view.need(view.run.export, "export").data.run_id

    async def read(bus: Bus, _settings: Settings) -> list[Any]:
        events = await Journal(bus).events()
        return [e.data for e in events if e.type == "model.shadowed" and e.data.challenger == run_id]

    told = {data.horizon: data for data in on_the_bus(view.lake, read)}
    never = (False, "it has not been compared with the champion")
    return {h: (told[h].verdict == "promote", told[h].detail) if h in told else never for h in horizons}


def _refused(view: View, reports: dict[Horizon, GateReport], only: Sequence[str], policy: str) -> None:
    failing = {
        str(h): [gate.id for gate in report.policies[policy].gates if not gate.passed]
        for h, report in reports.items()
        if not only or str(h) in only
    }
    if view.as_json:
        console.write_json({"refused": failing, "policy": policy, "done": False})
        return
    for horizon, gates in failing.items():
        click.echo(f"{horizon}: fails {', '.join(gates)}")
    click.echo(f"nothing passes policy {policy}: `cbi gates --policy {policy}` says why")


def _wanted(view: View, settings: Settings, horizons: tuple[Horizon, ...], asked: Asked, shadow: str) -> Promotion:
    from promoter.packaging import store_package

    export, forecast = view.need(view.run.export, "export").data, view.need(view.run.forecast, "forecast").data
    explained = view.need(view.run.explanation, "explanation").data
    made, ref = store_package(Lake(settings.lake), forecast, explained, horizons)
    labels = {
        "market": made.market,
        "run": made.run_id,
        "as-of": made.as_of.isoformat(),
        "profile": export.profile or "",
        "policy": asked.policy,
        "dataset": export.datasets["full"].sha256[:16],
        "package": ref.sha256[:16],
        "program": program_digest()[:16],
        "gates": digest({str(h): r.model_dump(mode="json") for h, r in sorted(view.report.gates.items())})[:16],
    }
    return Promotion(
        market=made.market,
        simulated=made.simulated,
        run_id=made.run_id,
        package=ref,
        horizons=tuple(made.horizons),
        target="local" if asked.target == "local" else "vertex",
        policy=asked.policy,
        shadow=shadow,
        labels=labels,
    )
