"""Injectors: what they say they did is what they did, and nothing else."""

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import UsageError
from cbi_common.markets.flaws import FLAWS, INTENSITIES, Place, parse_flaws, spoil
from cbi_common.markets.simulation import Setting
from cbi_common.markets.simulation.tables import Tables


@pytest.fixture(scope="module")
def clean() -> dict[str, pa.Table]:
    tables = Tables(Setting(700, 9))
    return {name: tables.make(name) for name in tables.names}


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_changes_its_table_is_seeded_and_leaves_the_original_alone(clean, name: str) -> None:
    place = FLAWS[name].place
    before = clean[place.table]
    copy = pa.Table.from_arrays([column.combine_chunks() for column in before.columns], names=before.column_names)
    results = [spoil(name, clean, intensity, 1) for intensity in INTENSITIES]
    for intensity, result in zip(INTENSITIES, results, strict=True):
        assert not result.table.equals(before)
        assert result.table.equals(spoil(name, clean, intensity, 1).table)
        assert result.count is None or result.count > 0
    assert clean[place.table].equals(copy)
    counts = [result.count for result in results if result.count is not None]
    assert counts == sorted(counts)


@pytest.mark.parametrize("name", [name for name, flaw in FLAWS.items() if flaw.tells_column and name != "bad_date"])
def test_columns_that_are_not_named_stay_as_they_were(clean, name: str) -> None:
    before = clean[FLAWS[name].place.table]
    for intensity in INTENSITIES:
        result = spoil(name, clean, intensity, 2)
        assert result.columns
        untouched = [c for c in before.column_names if c in result.table.column_names and c not in result.columns]
        assert result.table.select(untouched).equals(before.select(untouched))


@pytest.mark.parametrize(
    "name", ["source_mismatch", "zero_as_missing", "non_positive", "out_of_range", "thin_volume", "null_value"]
)
@pytest.mark.parametrize("intensity", INTENSITIES)
def test_the_count_is_that_of_the_changed_values(clean, name: str, intensity: int) -> None:
    result, column = spoil(name, clean, intensity, 3), FLAWS[name].place.column
    before, after = (table[column].to_numpy() for table in (clean[FLAWS[name].place.table], result.table))
    assert int((before != after).sum()) == result.count


@pytest.mark.parametrize("intensity", INTENSITIES)
def test_rows_that_are_added_are_counted(clean, intensity: int) -> None:
    for name in ("duplicate_row", "conflicting_duplicate", "weekend_row", "non_session_row", "multiplied_rows"):
        result, before = spoil(name, clean, intensity, 4), clean[FLAWS[name].place.table]
        assert result.table.num_rows - before.num_rows == result.count
    weekend = spoil("weekend_row", clean, intensity, 4)
    days = weekend.table["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    assert ((days + 3) % 7 >= 5).sum() == weekend.count


def test_a_flaw_can_be_put_elsewhere(clean) -> None:
    place = Place("forecasting_data_warehouse.vix_daily", "date", ("close",))
    result = spoil("zero_as_missing", clean, 2, 1, place=place)
    assert (result.table["close"].to_numpy() == 0).sum() == result.count == 12


def test_a_list_of_flaws_is_read() -> None:
    assert parse_flaws("") == {}
    assert parse_flaws("stale, weekend_row:1,") == {"stale": 2, "weekend_row": 1}
    with pytest.raises(UsageError, match="no flaw 'rust'; known are: frozen_tail"):
        parse_flaws("rust")
    with pytest.raises(UsageError, match="intensity '4'"):
        parse_flaws("stale:4")
    with pytest.raises(UsageError, match="no table"):
        spoil("stale", {}, 1, 1)
