import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.timeseries.calendar import (
    FIRST_DAY,
    LAST_DAY,
    session_date,
    session_number,
    session_numbers,
    sessions_between,
)
from cbi_common.timeseries.holidays import holidays

DAYS = st.dates(FIRST_DAY, LAST_DAY)


def test_sessions_are_those_of_the_library_from_1900_to_2100() -> None:
    import pandas_market_calendars

    library = pandas_market_calendars.get_calendar("CBOT_Agriculture")
    expected = library.valid_days(FIRST_DAY, LAST_DAY, tz=None).to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(sessions_between(FIRST_DAY, LAST_DAY), expected)


def test_holidays_are_weekdays_in_order() -> None:
    assert (np.diff(holidays()) > 0).all()
    assert np.is_busday(holidays()).all()


@pytest.mark.real_data
def test_sessions_agree_with_the_prices_of_the_owner() -> None:
    folder = Path(os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse"))
    table = pq.read_table(folder / "yahoo_finance_comprehensive.biofuel_components_canonical.parquet")
    priced = table.filter(pc.is_valid(table["soybean_oil_price_cwt"]))
    dates = np.unique(priced["date"].to_numpy().astype("datetime64[D]"))
    numbers, is_session = session_numbers(dates)
    # Closures on which Yahoo repeats the last close, and 2025-01-09, when grains did trade: the library has it closed.
    assert dates[~is_session].astype(str).tolist() == ["2004-06-11", "2005-11-24", "2006-11-23", "2025-01-09"]
    modern = numbers[dates >= np.datetime64("2005-01-01")]
    unpriced = np.setdiff1d(np.arange(modern[0], modern[-1] + 1), numbers[is_session])
    assert [str(session_date(int(n))) for n in unpriced] == ["2012-10-29", "2012-10-30", "2016-10-10", "2016-11-11"]


def test_anchor_is_the_first_session_of_2000() -> None:
    assert session_number(date(2000, 1, 3)) == 0
    assert session_number(date(1999, 12, 31)) == -1
    assert session_date(0) == date(2000, 1, 3)


def test_known_closures() -> None:
    week = sessions_between(date(2025, 4, 14), date(2025, 4, 21)).astype(str).tolist()
    assert week == ["2025-04-14", "2025-04-15", "2025-04-16", "2025-04-17", "2025-04-21"]  # Good Friday on the 18th


@given(DAYS)
def test_number_is_that_of_the_last_session_at_or_before(day: date) -> None:
    number = session_number(day)
    assert session_date(number) <= day
    if number < session_number(LAST_DAY):
        assert session_date(number + 1) > day


@given(DAYS, st.integers(0, 40))
def test_sessions_between_counts_like_the_numbers(start: date, length: int) -> None:
    end = min(start + timedelta(days=length), LAST_DAY)
    days = sessions_between(start, end)
    numbers, is_session = session_numbers(days)
    assert is_session.all()
    assert [session_date(int(n)) for n in numbers] == days.tolist()
    assert (np.diff(numbers) == 1).all()


def test_numbers_of_many_dates_say_which_are_sessions() -> None:
    dates = np.array(["2000-01-08", "2000-01-07", "2000-01-10"], dtype="datetime64[ns]")
    numbers, is_session = session_numbers(dates)
    assert numbers.tolist() == [4, 4, 5]
    assert is_session.tolist() == [False, True, True]
    assert (numbers + ~is_session).tolist() == [5, 4, 5]  # when an observation of that day is known


def test_targets_a_year_past_the_data_have_a_date() -> None:
    assert session_date(session_number(date(2025, 5, 16)) + 252) == date(2026, 5, 19)


@pytest.mark.parametrize("day", ["1899-12-31", "2101-01-01", "NaT"])
def test_dates_outside_the_calendar_are_refused(day: str) -> None:
    with pytest.raises(DataError, match="outside the calendar"):
        session_numbers(np.array(["2020-01-02", day], dtype="datetime64[D]"))


@pytest.mark.parametrize("number", [-(10**6), 10**6])
def test_numbers_outside_the_calendar_are_refused(number: int) -> None:
    with pytest.raises(DataError, match="outside 1900"):
        session_date(number)


def test_importing_the_calendar_does_not_import_pandas() -> None:
    code = "import sys, cbi_common.timeseries.calendar; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_first_and_the_last_session_have_a_day_and_their_neighbours_none() -> None:
    first, last = (session_number(day) for day in (FIRST_DAY, LAST_DAY))
    assert (session_date(first), session_date(last)) == (date(1900, 1, 1), date(2100, 12, 31))
    for number in (first - 1, last + 1):
        with pytest.raises(DataError, match=f"^calendar: session {number} is outside 1900-01-01 to 2100-12-31$"):
            session_date(number)


def test_an_hour_of_the_day_counts_as_its_day() -> None:
    numbers, is_session = session_numbers(np.array(["2000-01-07T18:30", "2000-01-08T00:01"], dtype="datetime64[m]"))
    assert (numbers.tolist(), is_session.tolist()) == ([4, 4], [True, False])


def test_a_date_outside_is_named_with_what_can_be_numbered() -> None:
    told = (
        "^calendar: date 2101-01-01 is outside the calendar; dates between 1900-01-01 and 2100-12-31 can be numbered$"
    )
    with pytest.raises(DataError, match=told):
        session_numbers([date(2020, 1, 2), date(2101, 1, 1)])
    for start, end in ((date(1899, 12, 31), date(2000, 1, 1)), (date(2000, 1, 1), date(2101, 1, 1))):
        with pytest.raises(DataError, match="outside the calendar"):
            sessions_between(start, end)


def test_nobody_can_move_a_session_that_others_read() -> None:
    with pytest.raises(ValueError, match="read-only"):
        sessions_between(FIRST_DAY, LAST_DAY)[0] = np.datetime64("1900-01-01")
    with pytest.raises(ValueError, match="read-only"):
        holidays()[0] = np.datetime64("1900-01-01")
