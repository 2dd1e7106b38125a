import asyncio

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError, InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.markets.files import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.testing import story
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.nets import Network
from cbi_common.timeseries.scaling import inputs_of
from explain import jobs
from explain.adapters.lightgbm_contributions import contributions
from explain.domain.row import Rows
from explain.handlers import Handlers

AS_OF = 5000
N = 400
NAMES = ("cl_return_5", "ho_return_5", "vix_level", "zs_return_21")


def features() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(N, len(NAMES)))
    x[-1, 1] = np.nan
    return x


def booster() -> lightgbm.Booster:
    x = features()
    y = 0.03 * x[:, 0] - 0.01 * np.nan_to_num(x[:, 1]) + 0.02
    data = lightgbm.Dataset(x[:-1], y[:-1], feature_name=list(NAMES))
    return lightgbm.train({"num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": 1}, data, num_boost_round=30)


def dataset() -> Dataset:
    sessions = np.arange(AS_OF - N + 1, AS_OF + 1)
    return Dataset(sessions, np.arange(N).astype("datetime64[D]"), np.full(N, 50.0), features(), NAMES)


def linear_net() -> Network:
    """A net without a hidden layer: its attributions are known."""
    inputs = inputs_of(dataset())
    kernel = np.linspace(-0.4, 0.5, inputs.size)[:, None]
    return Network((Horizon.W1,), inputs, np.array([0.03]), ((kernel, np.array([0.2])),))


class World:
    """A forecast of one week: half a tree, a quarter price history, a quarter no-change."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        columns = {
            "session": np.arange(AS_OF - N + 1, AS_OF + 1),
            "date": np.array([session_date(s) for s in range(AS_OF - N + 1, AS_OF + 1)], dtype="datetime64[D]"),
            "price": np.full(N, 50.0),
        }
        full = pa.table({**columns, **dict(zip(NAMES, features().T, strict=True))})
        self.model = booster()
        self.tree_y_hat = float(self.model.predict(features()[-1:])[0])
        self.net = linear_net()
        self.net_y_hat = float(self.net.forward(self.net.inputs.of(dataset())[-1])[0])
        self.net_artifact = lake.put("fold/net", self.net.to_bytes())
        self.artifact = lake.put("fold/tree", self.model.model_to_string().encode())
        self.table = put_table(lake, "full/x", full)
        self.history = put_table(lake, "regime/h", pa.table({"session": [AS_OF], "state": ["bull"]}))
        nothing = {"horizon": pa.string(), "session": pa.int64(), "y_hat": pa.float64()}
        none = pa.table({name: pa.array([], kind) for name, kind in nothing.items()})
        self.served = put_table(lake, "ensemble/served", none)
        self.manifest = RunManifest(
            market="zl",
            as_of=session_date(AS_OF),
            as_of_session=AS_OF,
            profile="smoke",
            simulated=True,
            datasets={"full": self.table},
            refits=(),
            cutoff_every=5,
            windows={Horizon.W1: ScoredWindow(burn_in_start=4700, start=4800, end=4995)},
            members=(),
            catalogue_sha256="0" * 64,
        )

    def member(self, weight: float, y_hat: float, learner: str, family: str, artifact=None) -> LiveMember:
        return LiveMember(
            weight=weight,
            y_hat=y_hat,
            family=family,
            learner=learner,
            dataset="full",
            predictions=self.history,
            artifact=artifact,
            metrics=story.unscored(),
        )

    def members(self) -> dict[str, LiveMember]:
        return {
            "lgbm": self.member(0.5, self.tree_y_hat, "lightgbm", "trees", self.artifact),
            "ets": self.member(0.2, -0.01, "ets", "statistical"),
            "dense": self.member(0.1, self.net_y_hat, "dense", "simple_nets", self.net_artifact),
            "theta": self.member(0.0, 9.9, "theta", "statistical"),
            "no_change": self.member(0.2, 0.0, "no_change", "statistical"),
        }

    def forecast(self, members: dict[str, LiveMember] | None = None) -> ForecastReady:
        members = members or self.members()
        live = LiveMembers(
            horizons={Horizon.W1: members},
            regime=story.detected().model_copy(update={"history": self.history}),
        )
        point = 50.0 * np.exp(sum(m.weight * m.y_hat for m in members.values()))
        return ForecastReady(
            market="zl",
            run_id=self.manifest.run_id,
            as_of=self.manifest.as_of,
            simulated=True,
            provisional=False,
            manifest=self.lake.put_json("manifest/x", self.manifest.model_dump(mode="json")),
            forecasts={Horizon.W1: horizon_forecast(point, {i: m.weight for i, m in members.items()})},
            served=self.served,
            members=self.lake.put_json("ensemble/members", live.model_dump(mode="json")),
        )


def horizon_forecast(point: float, members: dict[str, float]) -> HorizonForecast:
    return story.horizon_forecast(Horizon.W1, 50.0).model_copy(update={"point": point, "members": members})


@pytest.fixture
def world(tmp_path):
    return World(Lake(str(tmp_path / "lake")))


def today() -> Rows:
    return Rows(NAMES, features()[-1:])


def attributed(world, forecast):
    arg = {"lake": world.lake.url, "forecast": forecast.model_dump(mode="json"), "key": "explanation/x"}
    return ExplanationReady.model_validate(jobs.attribute(arg)).explanations[Horizon.W1]


def test_native_contributions_add_up_to_the_prediction(world):
    rows = Rows((*NAMES, "unused"), np.column_stack([features()[-1:], [[1.0]]]))
    names, shares, expected = contributions(world.lake.get(world.artifact), rows)
    assert names == list(NAMES)
    assert shares.sum() + expected[0] == pytest.approx(world.tree_y_hat, rel=1e-12)
    with pytest.raises(DataError, match="no column 'vix_level'"):
        contributions(world.lake.get(world.artifact), Rows(NAMES[:2], features()[-1:, :2]))


def test_groups_add_up_to_the_move_without_residual(world):
    found = attributed(world, world.forecast())
    assert abs(found.residual) <= 1e-9 * abs(found.forecast - found.baseline)
    group_of = load_market("zl").group_of
    assert set(found.groups) == {"expectation", "price_history", *(group_of[n] for n in NAMES)}
    assert set(found.drivers) == set(NAMES)
    cents_per_return = (found.forecast - 50.0) / np.log(found.forecast / 50.0)
    assert found.groups["price_history"] == pytest.approx(0.2 * -0.01 * cents_per_return)
    tree = dict(zip(NAMES, contributions(world.lake.get(world.artifact), today())[1][0], strict=True))
    x, (kernel, _) = world.net.inputs.of(dataset())[-1], world.net.layers[0]
    net = 0.03 * x * kernel[:, 0]
    energy = [
        i for i, name in enumerate((*world.net.inputs.names, *world.net.inputs.flagged)) if group_of[name] == "energy"
    ]
    share = 0.5 * sum(value for name, value in tree.items() if group_of[name] == "energy") + 0.1 * net[energy].sum()
    assert found.groups["energy"] == pytest.approx(share * cents_per_return)
    assert len(found.why) == 3
    assert f"{found.forecast:.2f} ¢/lb" in found.why[0]


def test_a_tree_without_its_artifact_is_an_error(world):
    members = {**world.members(), "lgbm": world.member(0.5, 0.01, "lightgbm", "trees")}
    with pytest.raises(InfrastructureError, match="left no artifact"):
        attributed(world, world.forecast(members))


def test_handler_works_once_and_keeps_the_largest_first(tmp_path):
    kit = make_kit(tmp_path, jobs={"explain.jobs:attribute": jobs.attribute})
    forecast = World(kit.lake).forecast()
    handlers = Handlers(kit)
    (first,) = asyncio.run(handlers.attribute(envelope(forecast)))
    (second,) = asyncio.run(handlers.attribute(envelope(forecast)))
    assert first == second
    assert first.data.model_dump_json() == second.data.model_dump_json()
    assert len(kit.workers.calls) == 1
    sizes = [abs(v) for v in first.data.explanations[Horizon.W1].drivers.values()]
    assert sizes == sorted(sizes, reverse=True)
