from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.timeseries.leakage import Mode, first_difference, poison

CUT = date(2020, 2, 15)
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(90)]
MODES: list[Mode] = ["noise", "delete", "append"]


def table(dates: pa.Array | None = None) -> pa.Table:
    rng = np.random.default_rng(0)
    order = rng.permutation(90)
    column = pa.array(DAYS, pa.date32()) if dates is None else dates
    return pa.table(
        {
            "date": column.take(pa.array(order)),
            "close": pa.array(np.where(order == 3, np.nan, order + 30.0)),
            "volume": pa.array([None if i == 5 else int(i) + 1000 for i in order], pa.int64()),
            "name": pa.array([f"row {i}" for i in order]),
        }
    )


def split(found: pa.Table) -> tuple[pa.Table, pa.Table]:
    late = pa.array([str(d)[:10] > CUT.isoformat() for d in found["date"].to_pylist()])
    return found.filter(pa.compute.invert(late)), found.filter(late)


DATE_COLUMNS = {
    "date32": pa.array(DAYS, pa.date32()),
    "timestamp": pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("us")),  # noqa: DTZ001
    "utc": pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("ns", "UTC")),  # noqa: DTZ001
    "string": pa.array([d.isoformat() for d in DAYS]),
}


@pytest.mark.parametrize("kind", DATE_COLUMNS)
@pytest.mark.parametrize("mode", MODES)
def test_poison_changes_the_future_and_not_a_bit_of_the_past(mode: Mode, kind: str) -> None:
    before = table(DATE_COLUMNS[kind])
    after = poison(before, "date", CUT, mode, np.random.default_rng(1))
    (old, old_late), (new, new_late) = split(before), split(after)
    assert after.schema == before.schema
    assert old.to_pandas().equals(new.to_pandas())
    assert not old_late.to_pandas().equals(new_late.to_pandas())


def test_noise_moves_every_number_and_keeps_signs_gaps_dates_and_text() -> None:
    before = table()
    after = poison(before, "date", CUT, "noise", np.random.default_rng(1))
    (_, old), (_, new) = split(before), split(after)
    for name in ("close", "volume"):
        assert all(a != b for a, b in zip(old[name].to_pylist(), new[name].to_pylist(), strict=True))
        assert min(new[name].to_pylist()) > 0
    for name in ("date", "name"):
        assert old[name].equals(new[name])
    assert after["volume"].null_count == 1


def test_delete_takes_about_a_third_of_the_later_rows_and_keeps_the_order() -> None:
    after = poison(table(), "date", CUT, "delete", np.random.default_rng(1))
    names = table()["name"].to_pylist()
    kept = after["name"].to_pylist()
    assert [name for name in names if name in set(kept)] == kept
    assert 8 <= 90 - len(kept) <= 22


def test_append_adds_days_that_were_not_there_on_the_same_weekdays() -> None:
    after = poison(table(), "date", CUT, "append", np.random.default_rng(1))
    dates = after["date"].to_pylist()
    assert len(dates) == len(set(dates)) == 90 + 44
    added = sorted(dates)[90:]
    assert added[0] > max(DAYS)
    assert added[0].weekday() == (CUT + timedelta(days=1)).weekday()


@pytest.mark.parametrize("mode", MODES)
def test_equal_seeds_give_equal_poison_and_no_future_gives_none(mode: Mode) -> None:
    one, two = (poison(table(), "date", CUT, mode, np.random.default_rng(4)) for _ in range(2))
    assert one.to_pandas().equals(two.to_pandas())
    nothing = poison(table(), "date", DAYS[-1], mode, np.random.default_rng(4))
    assert nothing.to_pandas().equals(table().to_pandas())


def test_rows_without_a_date_are_left_alone() -> None:
    before = pa.table({"date": pa.array([None, CUT, DAYS[-1]]), "x": [1.0, 2.0, 3.0]})
    after = poison(before, "date", CUT, "noise", np.random.default_rng(0))
    assert after["x"].to_pylist()[:2] == [1.0, 2.0]
    assert after["x"].to_pylist()[2] != 3.0


@pytest.mark.parametrize("values", [["soon"], [1.5]])
def test_a_column_that_holds_no_dates_is_refused(values: list[Any]) -> None:
    with pytest.raises(ValueError, match="does not hold dates"):
        poison(pa.table({"date": values}), "date", CUT, "noise", np.random.default_rng(0))


def predictions(**changes: Any) -> dict[str, Any]:
    return {
        "session": np.array([5, 10, 15]),
        "y_hat": np.array([0.1, np.nan, 0.3]),
        "model": ["a", "b", None],
        "n": np.array([1, 2, 3]),
    } | changes


def test_equal_tables_do_not_differ_and_nan_equals_nan() -> None:
    assert first_difference(predictions(), predictions(), 99) is None
    assert first_difference(pa.table(predictions()), predictions(), 99) is None
    frame = pa.table(predictions()).to_pandas()
    assert first_difference(frame, frame.copy(), 99) is None


def test_only_rows_up_to_the_session_count() -> None:
    late = predictions(y_hat=np.array([0.1, np.nan, 9.0]))
    assert first_difference(predictions(), late, 14) is None
    assert first_difference(predictions(), late, 15) == "column y_hat, session 15: 0.3 became 9.0"
    shorter = {name: values[:2] for name, values in predictions().items()}
    assert first_difference(predictions(), shorter, 14) is None


def test_the_earliest_difference_is_named_over_all_columns() -> None:
    changed = predictions(y_hat=np.array([0.1, np.nan, 9.0]), n=np.array([1, 7, 3]))
    assert first_difference(predictions(), changed, 99) == "column n, session 10: 2 became 7"


def test_one_bit_is_a_difference() -> None:
    nudged = predictions(y_hat=np.array([np.nextafter(0.1, 1), np.nan, 0.3]))
    assert "column y_hat, session 5" in str(first_difference(predictions(), nudged, 99))
    zero, negative = predictions(y_hat=np.zeros(3)), predictions(y_hat=-np.zeros(3))
    assert first_difference(zero, negative, 99) == "column y_hat, session 5: 0.0 became -0.0"


def test_a_missing_value_is_not_a_nan() -> None:
    null = predictions(y_hat=pa.array([0.1, None, 0.3]))
    assert first_difference(predictions(), null, 99) == "column y_hat, session 10: nan became None"
    assert first_difference(null, null, 99) is None


def test_text_and_missing_text_are_compared() -> None:
    assert first_difference(predictions(), predictions(model=["a", "x", None]), 99) == (
        "column model, session 10: 'b' became 'x'"
    )
    assert first_difference(predictions(), predictions(model=["a", "b", "c"]), 99) == (
        "column model, session 15: None became 'c'"
    )


def test_rows_and_columns_that_come_or_go_are_differences() -> None:
    shorter = {name: values[:2] for name, values in predictions().items()}
    assert first_difference(predictions(), shorter, 99) == "row 2: session 15 became no row"
    moved = predictions(session=np.array([5, 11, 15]))
    assert first_difference(predictions(), moved, 99) == "row 1: session 10 became session 11"
    wider = predictions(extra=np.zeros(3))
    assert "columns differ" in str(first_difference(predictions(), wider, 99))
    retyped = predictions(n=np.array([1.0, 2.0, 3.0]))
    assert "n int64 became" not in str(first_difference(predictions(), predictions(), 99))
    assert "columns differ" in str(first_difference(predictions(), retyped, 99))


def test_rows_may_be_chosen_by_another_column() -> None:
    labels = {"target_session": np.array([6, 20]), "y": np.array([0.1, 0.2])}
    later = {"target_session": np.array([6, 20]), "y": np.array([0.1, 0.9])}
    assert first_difference(labels, later, 19, session="target_session") is None
    assert first_difference(labels, later, 20, session="target_session") is not None


@pytest.mark.parametrize("kind", DATE_COLUMNS)
def test_append_repeats_the_later_rows_whole_weeks_on(kind: str) -> None:
    before = table(DATE_COLUMNS[kind])
    after = poison(before, "date", CUT, "append", np.random.default_rng(1))
    assert after.slice(0, 90).to_pandas().equals(before.to_pandas())
    _, late = split(before)
    added = after.slice(90)
    moved = [str(d)[:10] for d in added["date"].to_pylist()]
    assert moved == [
        (date.fromisoformat(str(d)[:10]) + timedelta(days=49)).isoformat() for d in late["date"].to_pylist()
    ]  # the later rows span 43 days: seven weeks are the fewest that pass the last
    for name in ("volume", "name"):
        assert added[name].equals(late[name])


def test_rows_a_whole_number_of_weeks_apart_do_not_fall_on_each_other() -> None:
    days = [CUT + timedelta(days=i) for i in (1, 8, 15)]
    after = poison(pa.table({"date": days, "x": [1.0, 2.0, 3.0]}), "date", CUT, "append", np.random.default_rng(0))
    assert after["date"].to_pylist() == days + [day + timedelta(days=21) for day in days]


def test_noise_is_lognormal_of_half_a_unit_and_whole_numbers_are_rounded() -> None:
    n = 4000
    before = pa.table({"day": ["2020-03-01"] * n, "x": np.ones(n), "k": np.ones(n, dtype=np.int64), "y": np.ones(n)})
    after = poison(before, "day", CUT, "noise", np.random.default_rng(2))
    x, k, y = (after[name].to_numpy() for name in ("x", "k", "y"))
    assert np.log(x).mean() == pytest.approx(0.0, abs=0.03)
    assert np.log(x).std() == pytest.approx(0.5, rel=0.05)
    assert (k == 0).mean() == pytest.approx(0.083, abs=0.02)  # a factor below a half: truncation would give a half
    assert abs(np.corrcoef(np.log(x), np.log(y))[0, 1]) < 0.05
    assert (np.log(x) != np.log(y)).all()


def test_delete_spares_two_of_three() -> None:
    n = 6000
    before = pa.table({"day": ["2020-03-01"] * n + ["2020-01-01"] * n, "x": np.arange(2 * n)})
    left = poison(before, "day", CUT, "delete", np.random.default_rng(3))["x"].to_numpy()
    assert (left >= n).sum() == n
    assert (left < n).mean() * len(left) / n == pytest.approx(2 / 3, abs=0.03)


def test_a_column_that_holds_no_dates_is_named_with_its_type() -> None:
    with pytest.raises(ValueError, match="column day of type double does not hold dates"):
        poison(pa.table({"day": [1.5]}), "day", CUT, "noise", np.random.default_rng(0))


def test_columns_that_differ_are_listed_with_their_types() -> None:
    one, two = {"session": np.array([1]), "a": np.array([1.0])}, {"session": np.array([1]), "b": np.array([2])}
    assert first_difference(one, two, 9) == ("columns differ: session int64, a double became session int64, b int64")


def test_a_row_that_came_is_told_like_one_that_went() -> None:
    shorter = {name: values[:2] for name, values in predictions().items()}
    assert first_difference(shorter, predictions(), 99) == "row 2: no row became session 15"


def test_the_last_of_many_chunks_is_compared_too() -> None:
    parts = [pa.table({"session": [i], "x": [float(i)], "name": [str(i)]}) for i in range(4)]
    whole = pa.concat_tables(parts)
    assert first_difference(whole, whole.combine_chunks(), 9) is None
    changed = pa.concat_tables([*parts[:3], pa.table({"session": [3], "x": [3.5], "name": ["3"]})])
    assert first_difference(whole, changed, 9) == "column x, session 3: 3.0 became 3.5"
    assert first_difference(changed, whole, 2) is None


def test_a_small_whole_number_may_overflow_into_nonsense_and_stays_one() -> None:
    n = 200
    before = pa.table({"day": ["2020-03-01"] * n, "k": pa.array([120] * n, pa.int8())})
    after = poison(before, "day", CUT, "noise", np.random.default_rng(2))
    assert after.schema == before.schema
    assert len(set(after["k"].to_pylist())) > 50
