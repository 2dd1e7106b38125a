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
from regime import jobs
from regime.handlers import Handlers

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


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


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


def test_what_comes_later_changes_no_earlier_call(lake, tmp_path):
    fresh = Lake(str(tmp_path / "fresh"))
    clean = get_table(lake, detect(lake, export(lake)).history)
    for poison_after in (650, 755, 756, 900):
        poisoned = get_table(fresh, detect(fresh, export(fresh, poison_after=poison_after)).history)
        rows = poison_after + 1 - 504
        assert poisoned.slice(0, rows).equals(clean.slice(0, rows))
        assert not poisoned.slice(rows).equals(clean.slice(rows))


def test_one_more_day_fits_nothing(lake, monkeypatch):
    first = get_table(lake, detect(lake, export(lake, N - 1)).history)
    monkeypatch.setattr(jobs.lightgbm_multiclass, "fit", lambda *_: pytest.fail("fitted again"))
    second = get_table(lake, detect(lake, export(lake)).history)
    assert second.slice(0, len(first)).equals(first)


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
