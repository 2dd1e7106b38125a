"""What the commands of promotion do and print."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import IncompleteError, InfrastructureError, UsageError
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
from cbi_common.runtime.state import State
from cbi_common.runtime.streams import LEDGER, PROMOTIONS
from cbi_common.storage.lake import Lake
from promoter.adapters.local_target import LocalTarget
from promoter.domain.champion import Champion, Serving, champion_key
from promoter.domain.promotion import Promotion, promotion_key
from promoter.domain.shadow import ShadowBook
from promoter.domain.vertex import Place
from promoter.promoting import Promoting
from promoter.serving.process import SERVING
from promoter.shadow_handlers import shadow_key
from promoter.targets import Target

if TYPE_CHECKING:
    from cbi_common.runtime.commands.options import View


def champion(lake: str | None, market: str, *, simulated: bool, history: bool, as_json: bool) -> None:
    """Show the pointer, or the ledger."""
    if history:
        _ledger(lake, market, as_json=as_json)
        return

    async def read(bus: Bus, _settings: Settings) -> tuple[bytes | None, bytes | None]:
        state = State(bus)
        return await state.get(champion_key(market, simulated)), await state.get(promotion_key(market, simulated))

    pointer, underway = on_the_bus(lake, read)
    found = Champion() if pointer is None else Champion.model_validate_json(pointer)
    promotion = None if underway is None else Promotion.model_validate_json(underway)
    running = promotion if promotion is not None and promotion.status == "running" else None
    if as_json:
        console.write_json({**found.model_dump(mode="json"), "under_way": running and running.model_dump(mode="json")})
        return
    console.simulated_banner(simulated)
    lines = [*([("serves", found.now)] if found.now else []), *(("served", one) for one in reversed(found.former))]
    note = f"a promotion of run {running.run_id} is under way, {len(running.done)} steps done" if running else ""
    if not lines:
        note = note or f"nobody serves {market} yet: `cbi gates` says who might, `cbi promote` what would be done"
    console.show(
        Table(
            title=f"Champion of {market}",
            columns=columns("<", "<version", "<run", "<target", "<policy", "<horizons", "<since"),
            rows=tuple((word, *_line(one)) for word, one in lines),
            note=note,
        )
    )


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
    steps = _target(settings, asked.target, asked.share).plan(wanted)
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
    after = _with_promoting(view.lake, lambda promoting: promoting.promote(wanted, reports, card), asked.share)
    _show(after, wanted.market, as_json=view.as_json)
    for line in _aliased(settings, wanted):
        click.echo(line, err=True)
    return 0


def abandon(view: View) -> int:
    """Give up a promotion under way."""
    market = view.need(view.run.export, "export").data.market
    given_up = _with_promoting(
        view.lake, lambda promoting: promoting.abandon(market, simulated=bool(view.run.simulated))
    )
    if given_up is None:
        raise UsageError("no promotion is under way", where=f"market {market}", hint="`cbi champion` shows who serves")
    click.echo(f"given up: run {given_up.run_id}, what it had left at target {given_up.target} is taken away")
    return 0


def rollback(lake: str | None, market: str, *, simulated: bool, yes: bool, as_json: bool) -> None:
    """Put the former champion back."""

    async def read(bus: Bus, _settings: Settings) -> bytes | None:
        return await State(bus).get(champion_key(market, simulated))

    stored = on_the_bus(lake, read)
    found = Champion() if stored is None else Champion.model_validate_json(stored)
    if found.now is None or not found.former:
        raise UsageError("nobody served before", where=f"champion of {market}", hint="`cbi champion` shows who does")
    if not yes:
        former = found.former[-1]
        click.echo(f"{former.version} (run {former.run_id}) would serve in place of {found.now.version}: add --yes")
        return
    after = _with_promoting(lake, lambda promoting: promoting.rollback(market, simulated=simulated, reports={}))
    _show(after, market, as_json=as_json)


def shadow(lake: str | None, market: str, *, simulated: bool, end: bool, as_json: bool) -> None:
    """Show the comparison, or end it."""
    key = shadow_key(market, simulated)

    async def read(bus: Bus, _settings: Settings) -> tuple[bytes | None, list[Any]]:
        state = State(bus)
        stored = await state.get(key)
        if end and stored:
            await state.put(key, b"")
        return stored, [e for e in await Journal(bus).events() if e.type == "model.shadowed"]

    stored, events = on_the_bus(lake, read)
    if not stored:
        raise IncompleteError(
            "no challenger", where=f"shadow of {market}", hint="a forecast that passes its gates begins a comparison"
        )
    book = ShadowBook.model_validate_json(stored)
    if end:
        click.echo(f"ended: run {book.challenger}, {len(book.rows)} pairs of forecasts stay in the events")
        return
    told = {e.data.horizon: e.data for e in events if e.data.challenger == book.challenger and e.data.market == market}
    if as_json:
        standings = {str(h): one.model_dump(mode="json") for h, one in told.items()}
        console.write_json(
            {**book.model_dump(mode="json", exclude={"rows"}), "pairs": len(book.rows), "standings": standings}
        )
        return
    console.simulated_banner(simulated)
    console.show(
        Table(
            title=f"Run {book.challenger} in the shadow of {book.champion} since {book.began}",
            columns=columns("<horizon", "<verdict", "e-value", "outcomes", "<"),
            rows=tuple(
                (str(h), told[h].verdict, f"{told[h].e_value or 1.0:.2f}", str(told[h].n), told[h].detail)
                for h in book.horizons
                if h in told
            ),
            note="an e-value of 20 decides; it may be looked at every day",
        )
    )


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


def _target(settings: Settings, name: str, share: int) -> Target:
    if name == "local":
        return LocalTarget(settings.stack_dir / SERVING, share)
    lacking = [n for n in ("vertex_project", "vertex_bucket", "vertex_image") if getattr(settings, n) is None]
    if lacking:
        names = ", ".join(f"CBI_{name.upper()}" for name in lacking)
        raise UsageError(f"not set: {names}", where="target vertex", hint="docs/gates.md says what they mean")
    from promoter.adapters.vertex_target import VertexTarget

    assert settings.vertex_project is not None
    assert settings.vertex_bucket is not None
    assert settings.vertex_image is not None
    place = Place(
        project=settings.vertex_project,
        location=settings.vertex_location,
        bucket=settings.vertex_bucket,
        image=settings.vertex_image,
        machine=settings.vertex_machine,
    )
    return VertexTarget(place, share)


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


def _with_promoting(lake: str | None, work: Callable[[Promoting], Awaitable[Any]], share: int = 100) -> Any:
    async def connected(bus: Bus, settings: Settings) -> Any:
        names = ["local", *(["vertex"] if settings.vertex_project else [])]
        targets = {name: _target(settings, name, share) for name in names}
        return await work(Promoting(State(bus), Lake(settings.lake), system_clock, bus.publish, targets))

    return on_the_bus(lake, connected)


def _show(after: Champion, market: str, *, as_json: bool) -> None:
    if as_json:
        console.write_json({**after.model_dump(mode="json"), "done": True})
        return
    assert after.now is not None
    click.echo(
        f"{after.now.version} (run {after.now.run_id}) serves {market} at {', '.join(map(str, after.now.horizons))}"
    )
    click.echo(
        "`cbi card --champion` says what it is; `cbi serve` answers on 127.0.0.1:8080; `cbi rollback --yes` ends it"
    )


def _line(one: Serving) -> tuple[str, ...]:
    horizons = ", ".join(map(str, one.horizons))
    return (one.version, one.run_id, one.target, one.policy, horizons, f"{one.since:%Y-%m-%d %H:%M}")


def _ledger(lake: str | None, market: str, *, as_json: bool) -> None:
    async def read(bus: Bus, _settings: Settings) -> list[Any]:
        journal = Journal(bus)
        # The ledger is fed from the events, a moment later; what is older than those lies in the ledger alone.
        kinds = [kind.subject for kind in PROMOTIONS]
        told = [*await journal.events(kinds, stream=LEDGER), *await journal.events(kinds)]
        found = {event.id: event for event in told}
        return sorted(found.values(), key=lambda event: (event.time, event.id))

    events = [event for event in on_the_bus(lake, read) if event.data.market == market]
    if as_json:
        console.write_json([event.model_dump(mode="json") for event in events])
        return
    rows = tuple((f"{event.time:%Y-%m-%d %H:%M}", event.type, *_words(event.data)) for event in events)
    console.show(Table(f"Ledger of {market}", columns("<time", "<event", "<run", "<horizon", "<"), rows))


def _words(data: Any) -> tuple[str, str, str]:
    horizon = str(getattr(data, "horizon", "") or ", ".join(map(str, getattr(data, "gates", {}))))
    if data.subject == "model.promoted":
        back = "put back" if data.rollback else "promoted"
        return data.run_id, horizon, f"{back} at {data.target} as {data.version} by policy {data.policy}"
    if data.subject == "model.shadowed":
        return data.run_id, horizon, f"{data.verdict}: {data.detail}"
    return data.run_id, horizon, data.reason
