"""A stack is copied whole while nobody works on it, and comes back the same or not at all."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.runtime.backup import back_up, restore
from cbi_common.runtime.lock import StackLock
from cbi_common.runtime.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(lake=str(folder))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    root = tmp_path / "var" / "lake"
    for name, text in {
        "cas/ab/abcd": "a blob" * 1000, "refs/fold/1.json": "{}", "results/forecasts/day.parquet": "rows",
        ".stack/jetstream/$G/streams/EVENTS/msgs/1.blk": "events", ".stack/mlflow.db": "runs",
        ".stack/stack.json": "password", ".stack/lock": "", "cas/ab/.part-x": "half",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".stack/mlflow.db").chmod(0o600)
    return root


def files(root: Path) -> dict[str, tuple[str, int]]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {p.relative_to(root).as_posix(): (p.read_text(), p.stat().st_mode) for p in found}


def test_what_was_there_is_there_again(lake: Path, tmp_path: Path) -> None:
    before = files(lake)
    copied = back_up(settings(lake), tmp_path / "safe" / "cbi.tar.gz")
    lake.rename(tmp_path / "lost")
    assert restore(tmp_path / "safe" / "cbi.tar.gz", settings(lake)) == copied
    assert copied == (5, sum(len(text) for text, _ in files(lake).values()), True)
    gone = (".stack/stack.json", ".stack/lock", "cas/ab/.part-x")
    assert files(lake) == {name: what for name, what in before.items() if name not in gone}
    assert [path.name for path in lake.parent.iterdir()] == ["lake"]


def test_a_running_stack_is_not_copied(lake: Path, tmp_path: Path) -> None:
    lock = StackLock(lake / ".stack")
    assert lock.try_acquire()
    with pytest.raises(InfrastructureError, match="at work on it"):
        back_up(settings(lake), tmp_path / "cbi.tar.gz")
    lock.release()
    assert not (tmp_path / "cbi.tar.gz").exists()
    back_up(settings(lake), tmp_path / "cbi.tar.gz")


def test_a_backup_is_replaced_by_a_whole_one_only(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "cbi.tar.gz"
    back_up(settings(lake), archive)
    before = archive.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(InfrastructureError, match="No space left"):
        back_up(settings(lake), archive)
    assert archive.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cbi.tar.gz", "var"]


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_damaged_archive_leaves_nothing(lake: Path, tmp_path: Path, harm: str) -> None:
    archive = tmp_path / "cbi.tar.gz"
    back_up(settings(lake), archive)
    whole = bytearray(archive.read_bytes())
    middle = len(whole) // 2
    # One byte may be another spelling of the same content: its flip is then no damage.
    for place in range(middle, middle + 16):
        whole[place] ^= 0xFF
    archive.write_bytes({"cut": bytes(whole[:middle]), "flipped": bytes(whole), "empty": b""}[harm])
    with pytest.raises(InfrastructureError, match="damaged, or no backup"):
        restore(archive, settings(tmp_path / "new" / "lake"))
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["lake/../../evil", "/lake/x", "elsewhere/x", "lake"])
def test_an_archive_that_names_what_no_backup_has(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "odd.tar.gz", "w:gz") as odd:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        odd.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(UsageError, match="which no backup has"):
        restore(tmp_path / "odd.tar.gz", settings(tmp_path / "new" / "lake"))
    assert not (tmp_path / "evil").exists()


def test_nothing_is_overwritten(lake: Path, tmp_path: Path) -> None:
    archive = tmp_path / "cbi.tar.gz"
    back_up(settings(lake), archive)
    with pytest.raises(UsageError, match="not empty"):
        restore(archive, settings(lake))


def test_what_cannot_be_meant_is_said(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing has run here"):
        back_up(settings(tmp_path / "none"), tmp_path / "cbi.tar.gz")
    with pytest.raises(UsageError, match="lies in what is to be copied"):
        back_up(settings(lake), lake / "cbi.tar.gz")
    with pytest.raises(UsageError, match="the bus is elsewhere"):
        back_up(Settings(lake=str(lake), nats_url="nats://127.0.0.1:4222"), tmp_path / "cbi.tar.gz")
    with pytest.raises(InfrastructureError, match="No such file"):
        restore(tmp_path / "none.tar.gz", settings(tmp_path / "new"))


def test_a_lake_in_a_bucket_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/stack").mkdir(parents=True)
    (tmp_path / "var/stack/mlflow.db").write_text("runs")
    remote = Settings(lake="memory://bucket/lake")
    copied = back_up(remote, tmp_path / "cbi.tar.gz")
    assert (copied.files, copied.lake) == (1, False)
    with pytest.raises(UsageError, match="holds no lake"):
        restore(tmp_path / "cbi.tar.gz", settings(tmp_path / "new"))
    (tmp_path / "var/stack").rename(tmp_path / "lost")
    restore(tmp_path / "cbi.tar.gz", remote)
    assert (tmp_path / "var/stack/mlflow.db").read_text() == "runs"
