"""A fit that was killed goes on where it was and ends in the same bits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.training.learner import validated
from trainer_metal.adapters import keras_fit
from trainer_metal.adapters.checkpoints import KEPT_S, Checkpoints, FitCheckpoints
from trainer_metal.adapters.keras_batches import Samples
from trainer_metal.adapters.keras_dense import Dense, Params
from trainer_metal.adapters.keras_sequence import SequenceNet
from trainer_metal.domain.checkpoint import Checkpoint

pytestmark = pytest.mark.proof
HORIZONS = (Horizon.W1, Horizon.M1)
DATA = random_dataset(400)
COMMON = {"epochs": 4, "batch": 16, "learning_rate": 0.01, "l2": 0.001, "dropout": 0.3}
DENSE = {**COMMON, "units": [6]}
SEQUENCE = {**COMMON, "kind": "gru_attention", "units": [4], "window": 12, "stride": 3}
NETS: dict[str, tuple[type[Dense | SequenceNet], dict[str, Any]]] = {
    "dense": (Dense, DENSE),
    "gru_attention": (SequenceNet, SEQUENCE),
}


class Killed(Exception):
    """Stands for SIGKILL: nothing of the fit is left but its checkpoint."""


def fit(net: str, kept: Checkpoints | None = None, seed: int = 1) -> bytes:
    learner, params = NETS[net]
    return learner(checkpoints=kept).fit(DATA, HORIZONS, params, np.ones(len(DATA.sessions)), seed)


@contextmanager
def killed_after(epochs: int) -> Iterator[None]:
    save = FitCheckpoints.save

    def last(self: FitCheckpoints, done: int, state: Any) -> None:
        save(self, done, state)
        if done == epochs:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FitCheckpoints, "save", last)
        with pytest.raises(Killed):
            yield


@pytest.fixture(scope="module")
def plain() -> bytes:
    return fit("dense")


@pytest.mark.parametrize("net", NETS)
def test_a_fit_that_is_killed_twice_ends_in_the_same_bits(
    net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = fit(net)
    kept = Checkpoints(tmp_path, "trained/job", every_s=0)
    begun: list[int] = []
    load = FitCheckpoints.load

    def loaded(self: FitCheckpoints) -> Checkpoint | None:
        found = load(self)
        begun.append(0 if found is None else found.epochs)
        return found

    monkeypatch.setattr(FitCheckpoints, "load", loaded)
    with killed_after(1):
        fit(net, kept)
    with killed_after(3):
        fit(net, kept)
    assert fit(net, kept) == undisturbed
    assert begun == [0, 1, 3]
    assert kept.warnings == []
    kept.clear()
    assert list(tmp_path.iterdir()) == []


def test_how_often_it_is_saved_changes_no_bit(plain: bytes, tmp_path: Path) -> None:
    assert fit("dense", Checkpoints(tmp_path, "job", every_s=0)) == plain
    assert fit("dense", Checkpoints(tmp_path / "not", "job", every_s=1e9)) == plain
    assert not (tmp_path / "not").exists()


def test_a_damaged_checkpoint_is_not_used_and_a_person_is_told(tmp_path: Path, plain: bytes) -> None:
    kept = Checkpoints(tmp_path, "job", every_s=0)
    with killed_after(2):
        fit("dense", kept)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again = Checkpoints(tmp_path, "job", every_s=1e9)
    assert fit("dense", again) == plain
    (warning,) = again.warnings
    assert "checksum is wrong" in warning
    assert "CBI_CHECKPOINTS" in warning
    assert list(tmp_path.iterdir()) == []


def test_another_seed_does_not_take_it_up(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "job", every_s=0)
    samples = Samples(np.zeros((3, 2), np.float32), np.zeros((3, 1)), np.ones(3))
    settings = validated(Params, DENSE, "dense")
    one, two = (keras_fit.Course("dense", settings, seed, checkpoints=kept).identity(samples) for seed in (1, 2))
    kept.of_fit(lambda: one).save(1, lambda: [np.zeros(1)])
    assert kept.of_fit(lambda: one).load() is not None
    assert kept.of_fit(lambda: two).load() is None
    moved = Samples(samples.x, samples.y + 1e-9, samples.weights)
    assert keras_fit.Course("dense", settings, 1).identity(moved) != one


def test_a_disk_that_cannot_be_written_stops_no_fit(tmp_path: Path, plain: bytes) -> None:
    (tmp_path / "file").touch()
    kept = Checkpoints(tmp_path / "file" / "folder", "job", every_s=0)
    assert fit("dense", kept) == plain
    (warning,) = kept.warnings
    assert "this fit is not checkpointed: Not a directory" in warning


def test_a_disk_that_is_away_while_reading_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path, "job")
    of_fit = kept.of_fit(lambda: "a" * 64)
    kept.path("a" * 64).touch()

    def gone(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert of_fit.load() is None
    assert "Input/output error" in kept.warnings[0]


def test_the_next_fit_of_a_job_removes_what_the_last_one_needs_no_more(tmp_path: Path) -> None:
    mine, other = Checkpoints(tmp_path, "job", every_s=0), Checkpoints(tmp_path, "other", every_s=0)
    for job, name in ((mine, "1"), (mine, "2"), (other, "1")):
        job.of_fit((name * 64).strip).save(1, lambda: [np.zeros(1)])
    assert mine.of_fit(lambda: "2" * 64).load() is not None
    assert sorted(path.name[17] for path in tmp_path.iterdir()) == ["1", "2"]
    mine.clear()
    assert [path.name[:16] for path in tmp_path.iterdir()] == [other.prefix]


def test_what_nobody_came_back_for_is_removed_after_a_week(tmp_path: Path) -> None:
    old, new = (Checkpoints(tmp_path, name, every_s=0) for name in ("old", "new"))
    for job in (old, new):
        job.of_fit(lambda: "f" * 64).save(1, lambda: [np.zeros(1)])
    (path,) = old.own()
    for name in ("notes.txt", ".part-cut-off", path.name):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, times=(time.time() - KEPT_S - 60,) * 2)
    Checkpoints(tmp_path, "job").clear()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([new.own()[0].name, "notes.txt"])


def test_it_is_saved_no_oftener_than_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("trainer_metal.adapters.checkpoints.time.monotonic", lambda: now[0])
    saved: list[int] = []
    kept = Checkpoints(tmp_path, "job", every_s=10).of_fit(lambda: "e" * 64)
    for epoch in range(1, 10):
        now[0] += 4
        kept.save(epoch, lambda: [np.zeros(2)])
        found = Checkpoint.from_bytes(next(tmp_path.iterdir()).read_bytes()).epochs if any(tmp_path.iterdir()) else 0
        saved.append(found)
    assert saved == [0, 0, 3, 3, 3, 6, 6, 6, 9]


@given(
    st.integers(1, 200),
    st.lists(arrays.arrays(st.sampled_from([np.float32, np.uint32, np.int64]), arrays.array_shapes()), max_size=4),
)
def test_a_checkpoint_survives_its_bytes(epochs: int, variables: list[np.ndarray[Any, Any]]) -> None:
    again = Checkpoint.from_bytes(Checkpoint(epochs, tuple(variables)).to_bytes())
    assert again.epochs == epochs
    for before, after in zip(variables, again.arrays, strict=True):
        assert (before.dtype, before.shape, before.tobytes()) == (after.dtype, after.shape, after.tobytes())


@given(st.data())
def test_no_byte_of_a_checkpoint_can_change_unseen(data: st.DataObject) -> None:
    whole = bytearray(Checkpoint(3, (np.arange(5),)).to_bytes())
    where = data.draw(st.integers(0, len(whole) - 1))
    whole[where] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DataError, match="checksum is wrong"):
        Checkpoint.from_bytes(bytes(whole))
    with pytest.raises(DataError, match="checksum is wrong"):
        Checkpoint.from_bytes(bytes(whole[:where]))
