"""Small things that claim to be large, and tables that are damaged: refused in a line, in bounded time and memory."""

from __future__ import annotations

import io
import os
import random
import time
import zipfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import CbiError, DataError, InfrastructureError
from cbi_common.storage import warehouse
from cbi_common.storage.day_range import DayRange
from cbi_common.storage.warehouse import FolderWarehouse
from ingest.domain.news.text import MOST, MOST_RAW, clean
from promoter.archive import archive, unpack

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
LONGEST_LINE = 2_100


def tables() -> list[bytes]:
    days = [date(2020, 1, i % 27 + 1) for i in range(60)]
    table = pa.table({"date": days, "close": [float(i) for i in range(60)], "name": [f"x{i % 5}" for i in range(60)]})
    found = []
    for compression in ("zstd", "snappy", "gzip", "none"):
        for options in ({}, {"row_group_size": 10}, {"data_page_version": "2.0"}):
            buffer = io.BytesIO()
            pq.write_table(table, buffer, compression=compression, **options)  # type: ignore[arg-type]
            found.append(buffer.getvalue())
    return found


TABLES = tables()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=st.sampled_from(TABLES), seed=st.integers(0, 2**32))
def test_a_damaged_table_is_read_or_refused(tmp_path: Path, whole: bytes, seed: int) -> None:
    rng, data = random.Random(seed), bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(data) if rng.random() < 0.5 else min(len(data), 1000)) * -1
        kind = rng.random()
        if kind < 0.5:
            data[place] ^= 1 << rng.randrange(8)
        elif kind < 0.8:
            data[place : place + rng.randrange(8)] = rng.randbytes(rng.randrange(8))
        else:
            data[place : place + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\xff" * 4, b"\0" * 4))
    (tmp_path / "shop.tea.parquet").write_bytes(data)
    folder = FolderWarehouse(tmp_path)
    assert folder.simulated in (True, False)
    for use in (
        lambda: folder.schema("shop.tea"),
        lambda: folder.rows("shop.tea"),
        lambda: folder.read("shop.tea"),
        lambda: folder.read("shop.tea", ("close", "name")),
        lambda: folder.read("shop.tea", ("close",), days=DayRange("date", last=date(2020, 1, 9))),
    ):
        try:
            use()
        except CbiError as error:
            line = error.line()
            if len(line) > LONGEST_LINE or not line.isprintable():
                raise AssertionError(line) from error


def test_a_table_whose_column_is_no_text_spoils_no_other(tmp_path: Path) -> None:
    pq.write_table(pa.table({"zqzqzq": [1]}), tmp_path / "shop.bad.parquet")
    spoiled = (tmp_path / "shop.bad.parquet").read_bytes().replace(b"zqzqzq", b"\xff\xfeq\xffzq")
    (tmp_path / "shop.bad.parquet").write_bytes(spoiled)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "shop.good.parquet")
    folder = FolderWarehouse(tmp_path)
    assert not folder.simulated
    assert folder.rows("shop.good") == 1
    with pytest.raises(DataError, match=r"shop\.bad: cannot be read: 'utf-8' codec"):
        folder.rows("shop.bad")


def test_many_rows_in_a_small_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shop.bomb.parquet"
    pq.write_table(pa.table({name: pa.nulls(1_000_000, pa.int8()) for name in "abc"}), path)
    assert path.stat().st_size < 10_000
    assert warehouse._MOST_VALUES * 8 < 2 * 2**30
    monkeypatch.setattr(warehouse, "_MOST_VALUES", 2_000_000)
    with pytest.raises(DataError, match=r"1,000,000 rows of 3 columns are more than one read takes"):
        FolderWarehouse(tmp_path).read("shop.bomb")
    assert FolderWarehouse(tmp_path).rows("shop.bomb") == 1_000_000
    assert FolderWarehouse(tmp_path).read("shop.bomb", ("a",)).num_rows == 1_000_000


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out"])
def test_a_package_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        whole.writestr(name, "x")
    with pytest.raises(InfrastructureError, match="names a file outside"):
        unpack(buffer.getvalue(), tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_a_package_is_what_it_claims_to_be(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "file").write_bytes(b"content")
    unpack(archive(tmp_path / "some"), tmp_path / "other")
    assert (tmp_path / "other" / "file").read_bytes() == b"content"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("zeros", b"\0" * 50_000_000)
    assert len(buffer.getvalue()) < 100_000
    with pytest.raises(InfrastructureError, match="holds more than it is"):
        unpack(buffer.getvalue(), tmp_path / "bomb")
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize(
    "unit",
    [
        "<!--",
        "<![",
        "<",
        "</",
        "<a ",
        "<a b='",
        "&",
        "&#",
        "<?",
        "<!",
        "(a ",
        "the post ",
        "https://",
        "&amp;",
        "<svg>",
    ],
)
def test_no_article_takes_long_to_clean(unit: str) -> None:
    for text in (unit * (2 * MOST_RAW // len(unit)), unit * (MOST_RAW // len(unit) - 1) + ">", f"{unit}>" * MOST_RAW):
        before = time.process_time()
        assert len(clean(text)) <= MOST
        assert time.process_time() - before < 3


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(["<script>", "</script>", "alert(1)", "<img onerror=x>", "&lt;b&gt;", "a", "<", ">"])))
def test_a_cleaned_article_is_text(parts: list[str]) -> None:
    found = clean(" ".join(parts))
    assert found.isprintable()
    assert "onerror" not in found or "<img" not in " ".join(parts)
