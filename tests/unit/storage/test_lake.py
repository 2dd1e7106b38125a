import errno
import os
import threading
from pathlib import Path

import pytest

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.storage.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def blobs(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "lake" / "cas").rglob("*") if path.is_file())


def leftovers(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "lake").rglob(".part-*"))


def test_what_is_put_is_found_and_got(lake: Lake) -> None:
    ref = lake.put("panel/abc", b"data")
    assert lake.find("panel/abc") == ref
    assert (lake.get(ref), ref.size_bytes) == (b"data", 4)
    assert lake.find("panel/other") is None
    assert lake.get_json(lake.put_json("export/x", {"b": [1, None]})) == {"b": [1, None]}


def test_equal_bytes_under_two_names_are_one_blob(lake: Lake, tmp_path: Path) -> None:
    lake.put("a/one", b"same")
    lake.put("a/two", b"same")
    lake.put("a/two", b"same")
    assert len(blobs(tmp_path)) == 1


def test_a_damaged_blob_counts_as_missing_and_is_made_again(lake: Lake, tmp_path: Path) -> None:
    ref = lake.put("a/b", b"good")
    blobs(tmp_path)[0].write_bytes(b"evil")
    with pytest.raises(InfrastructureError, match="damaged"):
        lake.get(ref)
    assert lake.find("a/b") is None
    assert lake.get_if_intact("a/b") is None
    assert lake.get(lake.put("a/b", b"good")) == b"good"


def test_putting_over_a_damaged_blob_repairs_it(lake: Lake, tmp_path: Path) -> None:
    ref = lake.put("a/b", b"good")
    blobs(tmp_path)[0].write_bytes(b"ev")
    lake.put("a/b", b"good")
    assert lake.get(ref) == b"good"


def test_a_truncated_or_empty_reference_counts_as_missing(lake: Lake, tmp_path: Path) -> None:
    lake.put("a/b", b"good")
    reference = tmp_path / "lake" / "refs" / "a" / "b.json"
    for damage in (b"", reference.read_bytes()[:20], b"[1, 2]"):
        reference.write_bytes(damage)
        assert lake.find("a/b") is None


def test_a_missing_blob_is_said_in_one_line(lake: Lake, tmp_path: Path) -> None:
    ref = lake.put("a/b", b"good")
    blobs(tmp_path)[0].unlink()
    assert lake.find("a/b") is None
    with pytest.raises(InfrastructureError, match="a/b: object is missing"):
        lake.get(ref)


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_crash_at_any_step_leaves_no_half_object(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, call: int
) -> None:
    real, calls = getattr(os, step), []

    def crash(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, crash)
        with pytest.raises(KeyboardInterrupt):
            lake.put("a/b", b"x" * 1000)
    assert lake.find("a/b") is None
    assert leftovers(tmp_path) == []
    assert lake.get(lake.put("a/b", b"x" * 1000)) == b"x" * 1000


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot write")])
def test_a_store_that_cannot_be_written_is_said_in_one_line(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InfrastructureError, match=says) as caught:
            lake.put("a/b", b"data")
    assert "\n" not in caught.value.line()
    assert caught.value.exit_code == 5
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "key",
    ["", "a", "/a/b", "a/../b", "../a/b", "a//b", "a/.hidden", "A/b", "a/b/", "a\\b/c", "a/b\n", "a/" + "b" * 300],
)
def test_a_key_that_is_no_key_is_refused(lake: Lake, key: str) -> None:
    with pytest.raises(InfrastructureError, match="not a lake key"):
        lake.put(key, b"data")
    with pytest.raises(InfrastructureError, match="not a lake key"):
        lake.find(key)


def test_many_writers_of_one_key_leave_one_intact_object(lake: Lake, tmp_path: Path) -> None:
    threads = [threading.Thread(target=lake.put, args=("a/b", b"x" * 100_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.get_if_intact("a/b") == b"x" * 100_000
    assert leftovers(tmp_path) == []


def test_any_fsspec_url_serves() -> None:
    lake = Lake("memory://bucket/lake")
    assert lake.get(lake.put("a/b", b"data")) == b"data"
    assert lake.find("a/c") is None


def test_an_unknown_kind_of_url_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nosuch"):
        Lake("nosuch://bucket")


def test_another_keys_file_in_the_way_is_nothing_found_and_no_place_to_write(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.put("a/b.json/c", b"1")
    assert lake.find("a/b") is None
    lake.put("a/d", b"1")
    (tmp_path / "refs" / "x").write_text("a file")
    assert lake.find("x/y") is None
    with pytest.raises(InfrastructureError):
        lake.put("x/y", b"1")
