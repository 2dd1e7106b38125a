"""Bad input gets one line that says what, where and what to do, and the exit code of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from cbi_common.markets.files import load_market
from cbi_common.testing.folders import rewrite

MARKET = load_market("zl")
PRICE = next(series for series in MARKET.series if series.name == MARKET.price)

Break = Callable[[Path, Path], None]


def _without_price_column(folder: Path, broken: Path) -> None:
    rewrite(folder, broken, lambda name, table: table.drop_columns([PRICE.value]) if name == PRICE.table else table)


def _price_of_strings(folder: Path, broken: Path) -> None:
    def change(name: str, table: pa.Table) -> pa.Table:
        if name != PRICE.table:
            return table
        where = table.schema.get_field_index(PRICE.value)
        return table.set_column(where, PRICE.value, pa.array(["n/a"] * table.num_rows))

    rewrite(folder, broken, change)


def _truncated(folder: Path, broken: Path) -> None:
    rewrite(folder, broken, lambda _, table: table)
    path = broken / f"{PRICE.table}.parquet"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def _without_price_table(folder: Path, broken: Path) -> None:
    rewrite(folder, broken, lambda _, table: table)
    (broken / f"{PRICE.table}.parquet").unlink()


def _empty(_: Path, broken: Path) -> None:
    broken.mkdir()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (_without_price_column, 3, PRICE.value),
        (_price_of_strings, 3, PRICE.value),
        (_truncated, 3, PRICE.table),
        (_without_price_table, 3, PRICE.table),
        (_empty, 2, "no tables"),
    ],
)
def test_a_broken_warehouse_is_refused_in_one_line(
    cbi: Callable[..., object], folder: Path, tmp_path: Path, spoil: Break, code: int, says: str
) -> None:
    broken = tmp_path / "broken"
    spoil(folder, broken)
    result = cbi("run", "--warehouse", str(broken), "--profile", "smoke", "--lake", str(tmp_path / "lake"))
    lines = result.stderr.strip().splitlines()
    assert result.returncode == code, result.stderr
    assert says in lines[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--warehouse", "/nonexistent/folder"], 2, "/nonexistent/folder"),
        (["--market", "tulips"], 2, "tulips"),
        (["--profile", "huge"], 2, "huge"),
        (["--as-of", "1950-01-02"], 3, "1950-01-02"),
        (["--as-of", "yesterday"], 2, "yesterday"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(
    cbi: Callable[..., object], folder: Path, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    base = ["run", "--warehouse", str(folder), "--profile", "smoke", "--lake", str(tmp_path / "lake")]
    result = cbi(*base, *arguments)
    assert result.returncode == code, result.stderr
    assert says in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.stderr
