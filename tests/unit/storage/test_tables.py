from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table


def test_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    table = pa.table({"session": pa.array(range(5)), "x": pa.array([1.0, np.nan, None, 2.0, 3.0])})
    tagged = table.replace_schema_metadata({"pandas": "dbdate", "written": "today"})
    assert put_table(lake, "a/plain", table).sha256 == put_table(lake, "a/tagged", tagged).sha256


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    table = pa.table(
        {"date": pa.array([date(2020, 1, 2), None]), "x": pa.array([np.nan, None]), "s": pa.array(["a", None])}
    )
    back = get_table(lake, put_table(lake, "a/b", table))
    assert back.schema == table.schema
    assert back["s"].to_pylist() == ["a", None]
    # Unknown (NaN) and absent (null) stay what they were.
    assert np.isnan(back["x"][0].as_py())
    assert back["x"][1].as_py() is None
