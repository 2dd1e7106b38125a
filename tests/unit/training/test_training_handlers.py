import asyncio
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import ContractError, DataError, InfrastructureError, JobError, TransientError
from cbi_common.core.horizon import Horizon
from cbi_common.events.data import DataExported
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import Job, ModelFailed, ModelTrained, TrainingPlanned, TrainJobCpu
from cbi_common.runtime.training_service import Trainer, TrainingHandlers
from cbi_common.testing.fakes import NOW, FakeWorkers, envelope, make_kit
from cbi_common.testing.story import forecast_ready
from cbi_common.testing.walks import HashLearner, make_manifest, random_dataset
from cbi_common.training import job
from cbi_common.training.environment import Environment
from cbi_common.training.predictions import Predictions

ENVIRONMENT = Environment(device="cpu", libraries=("numpy",))
TRAINER = Trainer("trainer-cpu", "toy:train", TrainJobCpu, ENVIRONMENT)
DATA = random_dataset(700)


class SlowWorkers(FakeWorkers):
    """Lets others run before it does."""

    async def run(self, entry, argument, *, cpu_limit_s=None, label=""):
        await asyncio.sleep(0.01)
        return await super().run(entry, argument, cpu_limit_s=cpu_limit_s, label=label)


def toy(arg):
    trained = job.train(arg, (HashLearner("drift"), HashLearner("lightgbm")), ENVIRONMENT)
    return {"models": [model.model_dump(mode="json") for model in trained], "warnings": []}


class Bench:
    def __init__(self, tmp_path, job=toy):
        self.workers = SlowWorkers({"toy:train": job})
        self.kit = make_kit(tmp_path, workers=self.workers)
        self.lake = self.kit.lake
        self.handlers = TrainingHandlers(self.kit, TRAINER)

    def export(self, data=DATA, models=("drift", "lgbm", "dense"), **changes):
        manifest, ref = make_manifest(self.lake, data, models, **changes)
        return DataExported(market="zl", as_of=manifest.as_of, run_id=manifest.run_id, manifest=ref)

    def plan(self, data):
        return asyncio.run(self.handlers.plan(envelope(data)))

    def jobs(self, **kwargs):
        return [out.data for out in self.plan(self.export(**kwargs)) if isinstance(out.data, TrainJobCpu)]

    def train(self, data, event_id=""):
        return asyncio.run(self.handlers.train(envelope(data, event_id=event_id)))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_an_incomplete_export_is_left_to_ingest(bench):
    assert bench.plan(DataExported(market="zl")) == []


def test_an_export_is_planned_and_queued(bench):
    planned, *queued = bench.plan(bench.export())
    assert isinstance(planned.data, TrainingPlanned)
    assert planned.data.jobs == tuple(out.data.job for out in queued)
    assert planned.discriminator == "cpu"
    assert [j.model_id for j in planned.data.jobs] == ["drift"] + ["lgbm"] * 5
    assert len({out.discriminator for out in queued}) == 6


def overtaken(bench, *, waited_h, later_day=True, exported_h=1.0):
    """Train a job of one day after another day was exported, and return the answers."""
    job = bench.jobs()[1]
    other = random_dataset(705 if later_day else 690)
    export = envelope(bench.export(data=other), now=NOW + timedelta(hours=exported_h))
    asyncio.run(bench.handlers.plan(export))
    kit = replace(bench.kit, clock=lambda: NOW + timedelta(hours=waited_h))
    return asyncio.run(TrainingHandlers(kit, TRAINER).train(envelope(job)))


def test_a_job_that_waited_for_hours_while_a_later_day_came_is_dropped_with_a_reason(bench):
    (dropped,) = overtaken(bench, waited_h=7)
    assert isinstance(dropped.data, ModelFailed)
    assert dropped.data.error.startswith("superseded: it waited until 20")
    assert bench.workers.calls == []


@pytest.mark.parametrize(
    "case", [{"waited_h": 5}, {"waited_h": 7, "later_day": False}, {"waited_h": 7, "exported_h": -1}]
)
def test_a_job_that_hardly_waited_or_that_nothing_later_overtook_is_trained(bench, case):
    (told,) = overtaken(bench, **case)
    assert isinstance(told.data, ModelTrained)


def test_a_joint_job_ends_in_one_event_per_horizon(bench):
    told = bench.train(bench.jobs()[0])
    assert [out.data.horizon for out in told] == list(Horizon) == [out.discriminator for out in told]
    for model in (out.data for out in told):
        assert isinstance(model, ModelTrained)
        assert (model.status, model.cached_folds, model.peak_mb) == ("trained", 0, 100.0)
        table = Predictions.get(bench.lake, model.predictions)
        assert model.n_cutoffs == len(table.sessions) == len(range(270, 700, 5)) + 1
        assert table.sessions[-1] == 699
        matured = np.isfinite(table.y)
        assert (table.target_sessions[matured] <= 699).all()
        assert model.metrics.n == len(range(300, (699 - model.horizon.sessions) // 5 * 5 + 1, 5))
        assert model.metrics.mase is not None or model.horizon == Horizon.M12
        assert bench.lake.get(model.artifact)


def test_the_metrics_are_those_of_the_scored_window(bench):
    model = bench.train(bench.jobs()[1])[0].data
    table = Predictions.get(bench.lake, model.predictions)
    scored = (table.sessions >= 300) & (table.sessions <= 690)
    price = table.price[scored]
    forecast, actual = price * np.exp(table.y_hat[scored]), price * np.exp(table.y[scored])
    assert model.metrics.mape == pytest.approx(np.mean(np.abs(forecast - actual) / actual))
    skill = 1 - np.mean(np.abs(forecast - actual)) / np.mean(np.abs(price - actual))
    assert model.metrics.skill == pytest.approx(skill)


def test_the_same_job_of_another_event_is_served_without_a_child(bench):
    first = bench.train(bench.jobs()[0], "event-1")
    second = bench.train(bench.jobs()[0], "event-2")
    assert len(bench.workers.calls) == 1
    for before, after in zip(first, second, strict=True):
        assert (after.data.status, after.data.fit_seconds) == ("cached", 0.0)
        assert after.data.cached_folds == after.data.refits == before.data.refits
        assert after.data.predictions == before.data.predictions


def test_the_same_event_again_tells_the_same(bench):
    data = bench.jobs()[0]
    assert bench.train(data, "event-1") == bench.train(data, "event-1")


def test_another_run_with_the_same_inputs_speaks_for_itself(bench):
    data = bench.jobs()[0]
    bench.train(data, "event-1")
    other = bench.jobs(models=("drift",))[0]
    assert other.run_id != data.run_id
    assert {out.data.run_id for out in bench.train(other, "event-2")} == {other.run_id}
    assert len(bench.workers.calls) == 1


def test_one_more_day_finds_every_fold(bench):
    bench.train(bench.jobs(data=DATA.until(698))[0])
    told = bench.train(bench.jobs()[0])
    assert len(bench.workers.calls) == 2
    assert {(out.data.status, out.data.fit_seconds) for out in told} == {("cached", 0.0)}


def test_two_equal_jobs_at_once_train_once(bench):
    data = bench.jobs()[0]

    async def both():
        events = [envelope(data, event_id=name) for name in ("a", "b")]
        return await asyncio.gather(*(bench.handlers.train(event) for event in events))

    first, second = asyncio.run(both())
    assert len(bench.workers.calls) == 1
    assert [out.data.predictions for out in first] == [out.data.predictions for out in second]


def test_a_result_whose_table_is_damaged_is_made_again(bench, tmp_path):
    data = bench.jobs()[0]
    first = bench.train(data, "event-1")
    sha = first[2].data.predictions.sha256
    (tmp_path / "lake" / "cas" / sha[:2] / sha).write_bytes(b"rotten")
    second = bench.train(data, "event-2")
    assert len(bench.workers.calls) == 2
    assert [out.data.predictions for out in second] == [out.data.predictions for out in first]
    assert len(Predictions.get(bench.lake, second[2].data.predictions).sessions)


@pytest.mark.parametrize("error", [JobError("ran past\nits limit", where="lgbm-1w"), DataError("too short")])
def test_a_job_that_fails_is_a_fact_per_horizon(tmp_path, error):
    def failing(arg):
        raise error

    bench = Bench(tmp_path, failing)
    told = bench.train(bench.jobs()[0])
    assert [out.data.horizon for out in told] == list(Horizon) == [out.discriminator for out in told]
    assert {type(out.data) for out in told} == {ModelFailed}
    assert {out.data.error for out in told} == {error.line()}
    assert "\n" not in told[0].data.error


@pytest.mark.parametrize("error", [TransientError("later"), InfrastructureError("the disk is full")])
def test_an_error_of_the_machine_is_raised(tmp_path, error):
    def failing(arg):
        raise error

    bench = Bench(tmp_path, failing)
    with pytest.raises(type(error), match=error.what):
        bench.train(bench.jobs()[0])


def test_a_failed_job_is_tried_again_by_the_next_event(tmp_path):
    fail = [True]

    def once(arg):
        if fail.pop() if fail else False:
            raise JobError("bad luck")
        return toy(arg)

    bench = Bench(tmp_path, once)
    data = bench.jobs()[0]
    assert isinstance(bench.train(data, "a")[0].data, ModelFailed)
    assert isinstance(bench.train(data, "b")[0].data, ModelTrained)


def test_a_job_planned_with_another_catalogue_fails(bench):
    data = bench.jobs()[0]
    stale = data.model_copy(update={"job": data.job.model_copy(update={"spec_sha256": "0" * 64})})
    assert "another catalogue" in bench.train(stale)[0].data.error
    assert bench.workers.calls == []


def test_a_job_of_an_unknown_model_breaks_the_contract(bench):
    data = bench.jobs()[0]
    stranger = Job(model_id="stranger", horizons=(Horizon.W1,), spec_sha256="0" * 64)
    with pytest.raises(ContractError, match="stranger"):
        bench.train(data.model_copy(update={"job": stranger}))


def test_a_learner_that_the_device_lacks_fails_the_job(tmp_path):
    def poor(arg):
        return {"models": job.train(arg, (HashLearner("theta"),), ENVIRONMENT), "warnings": []}

    bench = Bench(tmp_path, poor)
    assert "no learner 'drift'" in bench.train(bench.jobs()[0])[0].data.error


def test_a_dataset_that_was_not_exported_fails_the_job(bench):
    manifest, _ = make_manifest(bench.lake, DATA)
    ref = bench.lake.put_json("manifest/bare", {**manifest.model_dump(mode="json"), "datasets": {}})
    data = bench.jobs()[0].model_copy(update={"manifest": ref})
    assert "no dataset 'full'" in bench.train(data)[0].data.error


def test_a_warning_of_the_child_becomes_an_alert(tmp_path):
    bench = Bench(tmp_path, lambda arg: {**toy(arg), "warnings": ["the accelerator is not used"]})
    *models, alert = bench.train(bench.jobs()[0])
    assert len(models) == 5
    assert isinstance(alert.data, AlertRaised)
    assert (alert.data.severity, alert.data.source) == ("warning", "trainer-cpu--train")


def test_weights_follow_the_catalogue(bench):
    spec = load_catalogue().model("lgbm_eras")
    uniform, weighted = (bench.train(bench.jobs(models=(m,))[0])[0].data for m in ("lgbm", spec.id))
    assert uniform.artifact != weighted.artifact


def finished(bench, ref):
    return envelope(forecast_ready().model_copy(update={"manifest": ref}))


@pytest.fixture
def trained(bench):
    """A bench whose jobs are done, and the manifest's reference."""
    export = bench.export()
    for outgoing in bench.plan(export):
        if isinstance(outgoing.data, TrainJobCpu):
            bench.train(outgoing.data)
    return bench, export.manifest


TRACK = "cbi_common.training.tracking:track"
TRACKED = {"logged": True, "message": "done", "warnings": []}


def test_a_finished_run_is_tracked_once_with_its_models(trained):
    bench, ref = trained
    bench.workers.jobs[TRACK] = lambda arg: TRACKED
    event = finished(bench, ref)
    assert [asyncio.run(bench.handlers.track(event)) for _ in range(2)] == [[], []]
    (call,) = [arg for entry, arg in bench.workers.calls if entry == TRACK]
    assert call["uri"].startswith("sqlite:///")
    assert {model["model_id"] for model in call["models"]} == {"drift", "lgbm"}
    assert len(call["models"]) == 10
    assert call["loader"] == "toy.mlflow_model"
    assert call["members"] == event.data.members.model_dump(mode="json")


def test_a_provisional_forecast_is_not_tracked(trained):
    bench, ref = trained
    event = finished(bench, ref)
    issue = envelope(event.data.model_copy(update={"provisional": True}))
    assert asyncio.run(bench.handlers.track(issue)) == []
    assert not any(entry == TRACK for entry, _ in bench.workers.calls)


def test_trouble_with_tracking_is_an_alert_and_tried_again_by_the_next_run(trained):
    bench, ref = trained
    answers = iter([{"logged": False, "message": "the store is away", "warnings": []}, TRACKED])
    bench.workers.jobs[TRACK] = lambda arg: next(answers)
    event = finished(bench, ref)
    (alert,) = asyncio.run(bench.handlers.track(event))
    assert (alert.data.severity, alert.data.what) == ("warning", "the store is away")
    assert asyncio.run(bench.handlers.track(event)) == []


@pytest.mark.parametrize("error", [JobError("ran past its limit"), InfrastructureError("the lake lacks a table")])
def test_a_tracker_that_breaks_is_an_alert(trained, error):
    def breaks(arg):
        raise error

    bench, ref = trained
    bench.workers.jobs[TRACK] = breaks
    (alert,) = asyncio.run(bench.handlers.track(finished(bench, ref)))
    assert (alert.data.severity, alert.data.what) == ("warning", error.line())


def test_a_model_that_could_not_be_registered_is_told_once(trained):
    bench, ref = trained
    bench.workers.jobs[TRACK] = lambda arg: {**TRACKED, "warnings": ["lgbm at 1w: it says something else"]}
    event = finished(bench, ref)
    (alert,) = asyncio.run(bench.handlers.track(event))
    assert alert.data.what == "lgbm at 1w: it says something else"
    assert asyncio.run(bench.handlers.track(event)) == []


def test_another_store_is_told_of_what_the_first_one_has(trained, tmp_path):
    bench, ref = trained
    bench.workers.jobs[TRACK] = lambda arg: TRACKED
    asyncio.run(bench.handlers.track(finished(bench, ref)))
    moved = make_kit(tmp_path, workers=bench.workers, tracking="http://127.0.0.1:5000")
    asyncio.run(TrainingHandlers(moved, TRAINER).track(finished(bench, ref)))
    uris = [arg["uri"] for entry, arg in bench.workers.calls if entry == TRACK]
    assert len(uris) == 2
    assert uris[1] == "http://127.0.0.1:5000"


def test_tracking_can_be_switched_off(trained, tmp_path):
    bench, ref = trained
    handlers = TrainingHandlers(make_kit(tmp_path, workers=bench.workers, tracking="off"), TRAINER)
    assert asyncio.run(handlers.track(finished(bench, ref))) == []
    assert not any(entry == TRACK for entry, _ in bench.workers.calls)
