"""On data and on forecasts: what is wrong, said once when it begins and once when it is over. On a drift: a retrain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

from cbi_common.core.errors import ContractError
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.runtime.service import Kit, Outgoing
from cbi_common.timeseries.calendar import session_date, session_number
from monitor.domain.conditions import Book, Checked, Condition, Retrain, check
from monitor.domain.finding import Finding
from monitor.domain.retraining import Decision, decide, due_again
from monitor.notebook import Turn, turn
from monitor.rules_file import load_rules
from monitor.version import VERSION

_EXPORT, _DATA, _ERRORS, _IMPORTANCE = "export", "data", "errors", "importance"
_DATA_KINDS, _ERROR_KINDS = ("stale", "correlation", "feature", "regime"), ("performance",)


class WatchHandlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers, self._state = kit.lake, kit.workers, kit.state
        self._rules, self._retraining = load_rules(), kit.settings.retraining

    async def watch(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Look at the data of an export: old tables, feeds and links that broke, features and markets unlike before."""
        exported = event.data
        if not exported.complete or exported.as_of is None:
            return []
        session, about = session_number(exported.as_of), _About(exported.market, exported.as_of, exported.run_id)

        async def step(book: Book) -> Turn:
            if session < book.newest.get(_DATA, session):
                return Turn(book, [])
            found, scores = await self._found("look_at_data", "exported", exported.model_dump(mode="json"))
            welcome = check(book, _EXPORT, session, [], self._rules.conditions)
            checked = check(welcome.book, _DATA, session, found, self._rules.conditions)
            book = checked.book.scored(scores, _DATA_KINDS)
            return Turn(book, [*about.ended(welcome, "watch"), *about.said(checked, "watch")])

        return await turn(self._state, exported.market, bool(exported.simulated), event.id, step)

    async def refused(self, event: Envelope[DataRejected]) -> Sequence[Outgoing]:
        """Say that the data were refused, and what of them is old."""
        rejected = event.data
        finding, session = _refusal(rejected, event.time.date())

        async def step(book: Book) -> Turn:
            checked = check(book, _EXPORT, session, [finding], self._rules.conditions)
            return Turn(checked.book, _About(rejected.market, session_date(session), None).said(checked, "refused"))

        return await turn(self._state, rejected.market, rejected.simulated, event.id, step)

    async def detect(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Look at the errors of the forecasts that have matured."""
        forecast, rules = event.data, self._rules
        if forecast.provisional:
            return []
        session, about = session_number(forecast.as_of), _About(forecast.market, forecast.as_of, forecast.run_id)

        async def step(book: Book) -> Turn:
            if session < book.newest.get(_ERRORS, session):
                return Turn(book, [])
            found, scores = await self._found("look_at_errors", "forecast", forecast.model_dump(mode="json"))
            faded = check(book, _IMPORTANCE, session, [], rules.conditions)
            checked = check(faded.book, _ERRORS, session, found, rules.conditions)
            again = due_again(checked.book, session, rules.retraining)
            asked = [about.drift(finding) for finding in found if finding.condition in again]
            book = checked.book.scored(scores, _ERROR_KINDS)
            return Turn(book, [*about.ended(faded, "detect"), *about.said(checked, "detect"), *asked])

        return await turn(self._state, forecast.market, forecast.simulated, event.id, step)

    async def retrain(self, event: Envelope[DriftDetected]) -> Sequence[Outgoing]:
        """Ask for a retrain, unless there has just been one; tell people of a drift that another service found."""
        drift = event.data
        if drift.action == "alert" and drift.kind != _IMPORTANCE:
            return []  # an alert has been raised beside it
        manifest = self._manifest(drift)
        session, today = session_number(manifest.as_of), event.time.date()

        async def step(book: Book) -> Turn:
            answers: list[Outgoing] = []
            if drift.kind == _IMPORTANCE:
                finding = _importance(drift, manifest.as_of)
                checked = check(book, _IMPORTANCE, session, [finding], self._rules.conditions)
                book, answers = checked.book, _About(manifest.market, manifest.as_of, None).alerts(checked, "retrain")
            if drift.action == "alert" or not self._retraining:
                return Turn(book, answers)
            decision = decide(book, session=session, day=today, rules=self._rules.retraining)
            if decision == "retrain":
                granted = book.granted(Retrain(session=session, day=today, cause=event.id))
                return Turn(granted, [*answers, Outgoing(_request(drift, manifest))])
            if decision == "done":
                return Turn(book, answers)
            held = {**book.held, _condition(drift): session}
            said = _held_back(drift, manifest, decision, self._rules.retraining.cool_down_sessions)
            return Turn(book.model_copy(update={"held": held}), [*answers, said])

        return await turn(self._state, manifest.market, manifest.simulated, event.id, step)

    async def _found(self, job: str, name: str, data: dict[str, Any]) -> tuple[list[Finding], dict[str, float]]:
        rules = self._rules.model_dump(mode="json")
        key = f"watched/{digest(VERSION, job, data, rules)}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            argument = {"lake": self._lake.url, name: data, "rules": rules, "key": key}
            found = (await self._workers.run(f"monitor.watching:{job}", argument, label=job.replace("_", " "))).value
        else:
            found = json.loads(stored)
        return [Finding.model_validate(finding) for finding in found["findings"]], found["scores"]

    def _manifest(self, drift: DriftDetected) -> RunManifest:
        ref = None if drift.run_id is None else self._lake.find(f"manifest/{drift.run_id}")
        if ref is None:
            raise ContractError(
                "no such run: what is to be trained again is not known",
                where=f"drift.detected run_id={drift.run_id}",
                hint="name a run that `cbi status` lists, or publish data.requested with refit=true",
            )
        return RunManifest.model_validate(self._lake.get_json(ref))


class _About:
    """What every event of a check has in common."""

    def __init__(self, market: str, as_of: date, run_id: str | None) -> None:
        self._market, self._as_of, self._run_id = market, as_of, run_id

    def said(self, checked: Checked, handler: str) -> list[Outgoing]:
        """Return the drifts that begin, and an alert for all that begins or is over."""
        drifts = [self.drift(finding) for finding in checked.begun if finding.kind is not None]
        return [*drifts, *self.alerts(checked, handler)]

    def alerts(self, checked: Checked, handler: str) -> list[Outgoing]:
        """Return the alerts alone."""
        return [*(self._begun(finding, handler) for finding in checked.begun), *self.ended(checked, handler)]

    def ended(self, checked: Checked, handler: str) -> list[Outgoing]:
        """Return the alerts of what is over."""
        return [self._over(name, condition, handler) for name, condition in sorted(checked.over.items())]

    def drift(self, finding: Finding) -> Outgoing:
        """Return a finding as a drift."""
        assert finding.kind is not None
        data = DriftDetected(
            market=self._market,
            kind=finding.kind,
            evidence={**finding.evidence, "condition": finding.condition},
            action=finding.action,
            run_id=self._run_id,
            as_of=self._as_of,
            horizon=finding.horizon,
            what=finding.what,
            since=finding.since,
        )
        return Outgoing(data, discriminator=finding.condition)

    def _begun(self, finding: Finding, handler: str) -> Outgoing:
        data = AlertRaised(
            market=self._market,
            severity="warning",
            source=f"monitor--{handler}",
            what=finding.what,
            hint=finding.hint,
            condition=finding.condition,
            where=finding.where,
            as_of=self._as_of,
            since=finding.since,
        )
        return Outgoing(data, discriminator=finding.condition)

    def _over(self, name: str, condition: Condition, handler: str) -> Outgoing:
        data = AlertRaised(
            market=self._market,
            severity="info",
            source=f"monitor--{handler}",
            what=f"over: {condition.what}",
            condition=name,
            where=condition.where,
            as_of=self._as_of,
            since=condition.since,
            resolved=True,
        )
        return Outgoing(data, discriminator=f"{name} over")


def _refusal(rejected: DataRejected, today: date) -> tuple[Finding, int]:
    newest = {name: table.newest for name, table in rejected.quality.items() if table.newest is not None}
    session = session_number(rejected.as_of or max(newest.values(), default=today))
    old = [name for name, table in rejected.quality.items() if _old(finding.check for finding in table.findings)]
    also = f"; old as well: {', '.join(sorted(set(old) - {rejected.table}))}" if set(old) - {rejected.table} else ""
    finding = Finding(
        condition=f"rejected/{rejected.table}",
        where=rejected.table,
        what=f"the data were refused, nothing trains on them: {rejected.check}: {rejected.message}{also}",
        hint="`cbi quality` shows every finding; the last good forecast stands meanwhile, and grows older",
        since=session_date(session),
        evidence={"check": rejected.check, "count": rejected.count},
    )
    return finding, session


def _old(checks: Iterable[str]) -> bool:
    return not {"stale", "frozen_tail"}.isdisjoint(checks)


def _importance(drift: DriftDetected, as_of: date) -> Finding:
    where = f"horizon {drift.horizon}" if drift.horizon else "all horizons"
    return Finding(
        condition=_condition(drift),
        kind="importance",
        where=where,
        what=drift.what or f"{where}: forecasts rest on other drivers than before",
        hint="read `cbi explain` and ask whether the new reasons make sense",
        since=drift.since or as_of,
    )


def _condition(drift: DriftDetected) -> str:
    named = drift.evidence.get("condition")
    return named if isinstance(named, str) else f"{drift.kind}/{drift.horizon or 'all'}"


def _request(drift: DriftDetected, manifest: RunManifest) -> DataRequested:
    return DataRequested(
        market=manifest.market,
        as_of=manifest.as_of,
        profile=manifest.profile,
        reason=f"drift: {drift.what or drift.kind}",
        refit=True,
        scope="used",
    )


def _held_back(drift: DriftDetected, manifest: RunManifest, decision: Decision, cool_down: int) -> Outgoing:
    why: dict[Decision, Callable[[], str]] = {
        "cool_down": lambda: f"the last one is fewer than {cool_down} sessions ago",
        "day_limit": lambda: "there have been enough of them today",
    }
    data = AlertRaised(
        market=manifest.market,
        severity="info",
        source="monitor--retrain",
        what=f"no retrain yet, {why[decision]()}: {drift.what or drift.kind}",
        hint="it is asked for again if the drift lasts; `cbi publish data.requested … refit=true` does it now",
        where=_condition(drift),
        as_of=manifest.as_of,
    )
    return Outgoing(data, discriminator="held back")
