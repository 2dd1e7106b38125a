import asyncio
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.events.regime import RegimeDetected
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.timeseries.regimes import CLASSES
from regime import jobs
from regime.adapters import lightgbm_multiclass
from regime.domain import jump_model
from regime.handlers import Handlers
from regime.history import History
from regime.summary import summary
from regime.walk import Panel, walk

N = 1100


def export(lake: Lake, n: int = N, *, drop: tuple[str, ...] = (), poison_after: int | None = None) -> DataExported:
    rng = np.random.default_rng(5)
    price, vix = 50 * np.exp(np.cumsum(rng.normal(0, 0.012, N))), 18 + 10 * np.sin(np.arange(N) / 40)
    if poison_after is not None:
        price[poison_after + 1 :] = rng.uniform(20, 90, N - poison_after - 1)
        vix[poison_after + 1 :] = rng.uniform(10, 80, N - poison_after - 1)
    days = np.datetime64("2016-01-04") + np.arange(N)
    columns = {"session": np.arange(N), "date": days, "price": price, "vix": vix}
    table = pa.table({k: v[:n] for k, v in columns.items() if k not in drop})
    panel = put_table(lake, f"panel/{n}-{poison_after}-{len(drop)}", table)
    as_of = days[n - 1].astype(date)
    manifest = RunManifest(
        market="zl",
        as_of=as_of,
        as_of_session=n - 1,
        profile="smoke",
        simulated=True,
        datasets={"panel": panel},
        refits=(),
        cutoff_every=5,
        windows={Horizon.W1: ScoredWindow(burn_in_start=600, start=800, end=n - 6)},
        members=(),
        catalogue_sha256="0" * 64,
    )
    ref = lake.put_json(f"manifest/{n}-{poison_after}-{len(drop)}", manifest.model_dump(mode="json"))
    return DataExported(market="zl", as_of=as_of, profile="smoke", run_id=manifest.run_id, manifest=ref)


def detect(lake: Lake, data: DataExported) -> RegimeDetected:
    arg = {"lake": lake.url, "manifest": data.manifest.model_dump(mode="json"), "key": f"regime/{data.run_id}"}
    return RegimeDetected.model_validate(jobs.detect(arg))


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Keeps what was fitted for all of these tests."""
    return Lake(str(tmp_path_factory.mktemp("lake")))


@pytest.fixture
def fresh(tmp_path):
    return Lake(str(tmp_path / "fresh"))


def test_detects_state_probabilities_and_scores(lake):
    found = detect(lake, export(lake))
    assert set(found.probabilities) == set(Regime)
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert found.state == max(found.probabilities, key=found.probabilities.__getitem__)
    assert found.nowcast_accuracy > 0.9
    assert set(found.forward_accuracy) == set(found.persistence_accuracy) == {"5", "21"}
    history = get_table(lake, found.history).to_pydict()
    assert history["session"] == list(range(504, N))
    assert history["state"][-1] == found.state
    assert history["state"][-2] == found.previous_state


def test_what_comes_later_changes_no_earlier_call(lake, fresh):
    clean = get_table(lake, detect(lake, export(lake)).history)
    for poison_after in (650, 755, 756, 900):
        poisoned = get_table(fresh, detect(fresh, export(fresh, poison_after=poison_after)).history)
        rows = poison_after + 1 - 504
        assert poisoned.slice(0, rows).equals(clean.slice(0, rows))
        assert not poisoned.slice(rows).equals(clean.slice(rows))


def test_one_more_day_fits_nothing(fresh, monkeypatch):
    first = get_table(fresh, detect(fresh, export(fresh, N - 1)).history)
    for model in (lightgbm_multiclass, jump_model):
        monkeypatch.setattr(model, "fit", lambda *_: pytest.fail("fitted again"))
    second = get_table(fresh, detect(fresh, export(fresh)).history)
    assert second.slice(0, len(first)).equals(first)


def test_the_forecast_ahead_and_the_challenger_stand_beside_it(lake):
    found = detect(lake, export(lake))
    history = get_table(lake, found.history).to_pydict()
    for sessions, one in found.ahead.items():
        assert sum(one.probabilities.values()) == pytest.approx(1.0)
        assert one.probabilities == {state: history[f"p{sessions}_{state}"][-1] for state in Regime}
        assert one.persistence_accuracy == found.persistence_accuracy[sessions]
        assert one.brier < one.persistence_brier
        assert one.n == N - 504 - int(sessions)
    assert found.challenger.state == history["jump_state"][-1]
    assert found.challenger.nowcast_accuracy == np.mean(np.equal(history["jump_state"], history["label"]))
    assert set(found.challenger.forward_accuracy) == {"5", "21"}
    assert found.called_by == history["called_by"][-1] == "trees"


def test_the_spell_of_today_began_where_the_history_says(lake):
    found = detect(lake, export(lake))
    states, dates = (get_table(lake, found.history)[name].to_pylist() for name in ("state", "date"))
    assert set(states[-found.sessions_in_state :]) == {found.state}
    assert dates[-found.sessions_in_state] == found.since
    assert states[-found.sessions_in_state - 1] != found.state


def called(states: list[Regime]) -> RegimeDetected:
    codes, n = np.array([CLASSES.index(state) for state in states]), len(states)
    chances = np.eye(4)[codes]
    days = np.datetime64("2025-01-01") + np.arange(n)
    history = History(np.arange(n), days, codes, chances, np.zeros(n, int), codes, {5: chances, 21: chances})
    manifest = RunManifest(
        market="zl",
        as_of=days[-1].item(),
        as_of_session=n - 1,
        profile="smoke",
        simulated=True,
        datasets={},
        refits=(),
        cutoff_every=5,
        windows={},
        members=(),
        catalogue_sha256="0" * 64,
    )
    return summary(manifest, history, LakeRef(key="regime/1.history", sha256="0" * 64, size_bytes=1))


def test_a_change_says_so_and_no_change_does_not():
    turned = called([Regime.NORMAL, Regime.NORMAL, Regime.CRISIS])
    assert (turned.changed, turned.previous_state, turned.since) == (True, Regime.NORMAL, date(2025, 1, 3))
    same = called([Regime.NORMAL, Regime.CRISIS, Regime.CRISIS])
    assert (same.changed, same.previous_state, same.since) == (False, Regime.CRISIS, date(2025, 1, 2))
    first = called([Regime.CRISIS])
    assert (first.changed, first.previous_state, first.sessions_in_state) == (False, None, 1)


def test_an_event_without_the_newer_fields_is_still_read(lake):
    old = detect(lake, export(lake)).model_dump(
        mode="json", exclude={"since", "sessions_in_state", "called_by", "ahead", "challenger"}
    )
    assert RegimeDetected.model_validate(old).ahead == {}


def test_where_labels_are_hidden_in_the_moves_the_filter_is_heard(lake):
    rng = np.random.default_rng(11)
    labels = np.repeat(rng.integers(0, 4, 60), 50)
    volatility, drift = np.array([0.03, 0.014, 0.018, 0.012])[labels], np.array([-1, 2, -2, 0])[labels] * 1e-3
    days = np.datetime64("2000-01-03") + np.arange(3000)
    price = 50 * np.exp(np.cumsum(rng.normal(drift, volatility)))
    panel = Panel(np.arange(3000), days, price, np.full(3000, np.nan))
    found = walk(lake, panel, labels, 2000)
    assert found.sessions[0] == 1890
    assert found.speakers.all()
    assert (found.states == found.labels).mean() > 0.5


def test_refuses_what_it_cannot_call(lake):
    with pytest.raises(DataError, match="too few labelled sessions"):
        detect(lake, export(lake, 250))


def test_without_an_index_of_fear_volatility_alone_decides(lake):
    known, unknown = detect(lake, export(lake)), detect(lake, export(lake, drop=("vix",)))
    assert sum(unknown.probabilities.values()) == pytest.approx(1.0)
    assert unknown.nowcast_accuracy > 0.9
    assert unknown.n >= known.n


async def handled(handlers: Handlers, data: DataExported) -> list[RegimeDetected]:
    return [out.data for out in await handlers.detect(envelope(data))]


def test_handler_works_once_and_repeats_its_event(tmp_path):
    kit = make_kit(tmp_path, jobs={"regime.jobs:detect": jobs.detect})
    data = export(kit.lake)
    handlers = Handlers(kit)
    first = asyncio.run(handled(handlers, data))
    second = asyncio.run(handled(handlers, data))
    assert first == second
    assert len(kit.workers.calls) == 1
    assert first[0].run_id == data.run_id
    kit.lake._discard(LakeRef(key=kit.workers.calls[0][1]["key"], sha256="0" * 64, size_bytes=0))
    assert asyncio.run(handled(handlers, data)) == first


def test_incomplete_export_is_ignored(tmp_path):
    kit = make_kit(tmp_path)
    assert asyncio.run(handled(Handlers(kit), DataExported(market="zl"))) == []
