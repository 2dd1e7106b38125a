import asyncio

from cbi_common.events.data import DataExported
from cbi_common.events.training import ModelTrained, TrainJobCpu
from cbi_common.testing.fakes import envelope, make_kit
from cbi_common.testing.walks import grid_refits, make_manifest, random_dataset
from trainer_cpu import jobs
from trainer_cpu.app import build
from trainer_cpu.handlers import Handlers


def test_the_service_listens_to_exports_and_to_its_queue(tmp_path):
    service = build(make_kit(tmp_path, cores=3))
    found = {s.durable: (s.event.subject, s.parallel) for s in service.subscriptions}
    assert found == {
        "trainer-cpu--plan": ("data.exported", 1),
        "trainer-cpu--train": ("jobs.train.cpu", 3),
        "trainer-cpu--track": ("forecast.ready", 1),
    }


def test_an_export_ends_in_trained_models(tmp_path):
    kit = make_kit(tmp_path, jobs={"trainer_cpu.jobs:train": jobs.train})
    data, models = random_dataset(800), ("drift", "lgbm", "no_change")
    manifest, ref = make_manifest(kit.lake, data, models, grid_refits(data, models, first=504))
    handlers = Handlers(kit)
    export = envelope(DataExported(market="zl", run_id=manifest.run_id, manifest=ref))
    _, *queued = asyncio.run(handlers.plan(export))
    told = [out.data for job in queued for out in asyncio.run(handlers.train(envelope(job.data)))]
    assert {type(job.data) for job in queued} == {TrainJobCpu}
    assert [model for model in told if not isinstance(model, ModelTrained)] == []
    assert {(m.model_id, m.horizon) for m in told} == {(m.model_id, m.horizon) for m in manifest.members}
    assert {m.metrics.skill for m in told if m.model_id == "no_change"} == {0.0}
