from functools import partial

import numpy as np
import pytest
from filelock import FileLock, Timeout

from cbi_common.testing.fakes import make_kit
from trainer_metal import jobs
from trainer_metal.adapters.accelerator import CPU, GPU, Placement, place
from trainer_metal.app import build
from trainer_metal.domain.canary import disagreement


def test_the_service_works_on_one_job_at_a_time(tmp_path):
    service = build(make_kit(tmp_path, cores=3))
    found = {s.durable: (s.event.subject, s.parallel) for s in service.subscriptions}
    assert found == {
        "trainer-metal--plan": ("data.exported", 1),
        "trainer-metal--train": ("jobs.train.metal", 1),
        "trainer-metal--track": ("forecast.ready", 1),
    }


def test_without_an_accelerator_nothing_is_tried():
    tried = partial(pytest.fail, "tried")
    assert place(lambda: False, tried, lambda device: tried()) == Placement("cpu", CPU)


def test_an_accelerator_that_tensorflow_does_not_see_is_not_used_and_a_person_is_told():
    # TensorFlow would take the CPU in silence, and the canary would compare the CPU with itself.
    found = place(lambda: True)
    assert (found.accelerator, found.tensorflow_device, found.precision) == ("cpu", CPU, "float32")
    assert "TensorFlow does not see it" in found.warnings[0]


def test_an_accelerator_that_agrees_is_used():
    assert place(lambda: True, lambda: True, lambda device: np.array([1.0, 0.5])) == Placement("gpu", GPU)
    assert Placement("gpu", GPU).precision == "mixed_float16"


@pytest.mark.parametrize(
    ("losses", "message"), [([1.0, 0.7], "off by 40 % at step 2"), ([np.nan, 0.5], "not a number at step 1")]
)
def test_an_accelerator_that_diverges_is_not_used_and_a_person_is_told(losses, message):
    found = place(lambda: True, lambda: True, lambda device: np.array([1.0, 0.5] if device == CPU else losses))
    assert (found.accelerator, found.tensorflow_device) == ("cpu", CPU)
    assert message in found.warnings[0]


def test_devices_may_differ_in_the_last_digits():
    assert disagreement(np.array([1.0, 0.5]), np.array([1.0, 0.50001])) is None


@pytest.mark.parametrize("accelerator", [True, False])
def test_a_job_on_an_accelerator_holds_the_machines_lock_and_tells_its_warnings(tmp_path, monkeypatch, accelerator):
    lock = tmp_path / "metal.lock"
    seen = {}

    def train(arg, learners, environment, search):
        if accelerator:
            with pytest.raises(Timeout):
                FileLock(lock).acquire(timeout=0)
        else:
            assert not lock.exists()
        seen.update(device=learners[0].device, accelerator=environment.accelerator, search=search.name)
        return []

    monkeypatch.setattr(jobs, "LOCK", lock)
    monkeypatch.setattr(jobs, "present", lambda: accelerator)
    monkeypatch.setattr(jobs, "place", lambda: Placement("gpu", GPU, ("look",)))
    monkeypatch.setattr(jobs.job, "train", train)
    assert jobs.train({"checkpoints": str(tmp_path), "key": "trained/x"}) == {"models": [], "warnings": ["look"]}
    assert seen == {"device": GPU, "accelerator": "gpu", "search": "keras_tuner_random"}
    with FileLock(lock).acquire(timeout=0):
        pass
