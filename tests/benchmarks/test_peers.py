"""Accuracy and cost of a standard run beside what a user would pick instead: same closes, cutoffs, rows and scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.storage.lake import Lake
from cbi_common.testing.contest import Course, Standing
from cbi_common.testing.page import draw, number, percent, table, write_section
from cbi_common.testing.peers import Answer, Peer, ask
from cbi_common.testing.standard import StandardRun

pytestmark = [pytest.mark.benchmark, pytest.mark.real_data, pytest.mark.timeout(4 * 3600)]

FOUR_WEEKS = 20
"""Sessions between the cutoffs that everybody is scored on: every fourth of the run's own, which a slow peer can do."""
PEERS = os.environ.get("BENCH_PEERS", "statistical,trees,curve,automatic").split(",")
"""Scripts of tests/benchmarks/peers; BENCH_PEERS asks fewer."""
Record = Callable[..., None]


def test_beside_what_a_user_would_pick_instead(standard_run: StandardRun, record: Record) -> None:
    course = Course.of_run(Lake(str(standard_run.lake)), standard_run.report["run_id"])
    answers = [ask(Peer(script, FOUR_WEEKS), course) for script in PEERS]
    standings = list(_standings(course, answers))
    record("peers: fewest rows a contender is scored on", min(s.n for s in standings), "")
    for standing in standings:
        served = standing.served_winkler / standing.winkler if standing.winkler else None
        assert served is not None, f"{standing.contender} gave no band"
        record(f"{standing.contender}, {standing.horizon}: Winkler, served / theirs", served, "")
    _write(standings, answers, standard_run)


def _standings(course: Course, answers: list[Answer]) -> Iterator[Standing]:
    for answer in answers:
        for name, horizons in answer.forecasts.items():
            for horizon in Horizon:
                yield course.stand(name, horizon, horizons[horizon], answer.peer.every)


def _write(standings: list[Standing], answers: list[Answer], run: StandardRun) -> None:
    rows = []
    for s in sorted(standings, key=lambda s: (s.horizon.sessions, s.n, s.contender)):
        own = (s.contender, s.n, s.independent, percent(s.no_change_mape), percent(s.mape))
        bands = (percent(s.coverage, digits=0), percent(s.served_coverage, digits=0))
        scores = (number(s.winkler, 1), number(s.served_winkler, 1))
        beside = (percent(s.served_skill, sign=True, digits=2), number(s.served_better_p, 3))
        skill = (percent(s.skill, sign=True, digits=2), number(s.dm_p, 2))
        rows.append((s.horizon, *own, *skill, *beside, *bands, *scores))
    header = (
        *("horizon", "contender", "n", "independent", "no-change MAPE", "MAPE", "skill", "beats no-change, p"),
        *("served: skill", "served beats it, p", "covers", "served", "Winkler", "served"),
    )
    said = f"Served by a run of profile **{run.profile}** as of {run.report['as_of']}."
    write_section("peers", f"{said}\n\n{table(header, rows)}")
    costs = [
        (
            *(f"{a.peer.script} ({', '.join(f'{n} {v}' for n, v in a.cost.versions.items())})", a.cost.cutoffs),
            *(a.cost.fits, f"{a.cost.cpu_s:,.0f}", f"{a.cost.wall_s:,.0f}", f"{a.cost.cpu_s / a.cost.cutoffs:.1f}"),
        )
        for a in answers
    ]
    header = ("", "cutoffs", "fits", "CPU s", "wall s", "CPU s per cutoff")
    write_section("peers-cost", table(header, [*costs, run.cost()]))
    _draw(standings)


def _draw(standings: list[Standing]) -> None:
    """Winkler score of every contender over what was served: above one, its bands are worse."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for s in sorted(standings, key=lambda s: s.horizon.sessions):
        if s.winkler is not None:
            curves.setdefault(s.contender, []).append((s.horizon.sessions, s.winkler / s.served_winkler))
    draw("peers", "Bands beside those served (1 = as good)", curves, x="horizon, sessions", y="Winkler / served")
