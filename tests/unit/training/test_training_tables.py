from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError, InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.testing.walks import put_dataset, random_dataset
from cbi_common.training.datasets import load_dataset
from cbi_common.training.learner import labelled
from cbi_common.training.predictions import SCHEMA, Predictions

DATA = random_dataset(gaps=(17, 40))


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def test_a_dataset_comes_back_bit_by_bit(lake):
    found = load_dataset(lake, put_dataset(lake, DATA))
    assert found.names == DATA.names
    assert found.dates.dtype == np.dtype("datetime64[D]")
    assert found.digests([599]) == DATA.digests([599])
    assert np.array_equal(found.dates, DATA.dates)


def test_a_null_is_a_nan_and_an_integer_column_a_float(lake):
    table = pa.table(
        {
            "session": [1, 2],
            "date": pa.array(DATA.dates[:2]),
            "price": [50.0, 51.0],
            "x": pa.array([None, 2], pa.int64()),
        }
    )
    found = load_dataset(lake, put_table(lake, "dataset/1", table))
    assert np.isnan(found.features[0, 0])
    assert found.features[1, 0] == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sessions": DATA.sessions[::-1]}, "sessions must ascend"),
        ({"price": np.where(DATA.sessions == 30, 0.0, DATA.price)}, "prices be positive"),
        ({"price": np.where(DATA.sessions == 30, np.nan, DATA.price)}, "prices be positive"),
    ],
)
def test_a_dataset_that_is_none_is_refused(lake, change, message):
    with pytest.raises(DataError, match=message):
        load_dataset(lake, put_dataset(lake, replace(DATA, **change)))


def test_a_missing_index_column_is_named(lake):
    with pytest.raises(DataError, match="no column date, price"):
        load_dataset(lake, put_table(lake, "dataset/1", pa.table({"session": [1], "x": [1.0]})))


def test_labels_are_what_had_matured():
    train = DATA.until(100)
    alike = np.ones(len(train.sessions))
    targets, known = labelled(train, Horizon.M1, alike, least=10)
    assert np.array_equal(np.isfinite(targets), known)
    assert not known[train.sessions > 79].any()
    _, counted = labelled(train, Horizon.M1, np.where(train.sessions < 50, 2.0, 0.0), least=10)
    assert np.array_equal(counted, known & (train.sessions < 50))
    with pytest.raises(DataError, match="only 0 rows have an outcome at 12m"):
        labelled(train, Horizon.M12, alike, least=1)


def predictions():
    n = 4
    return Predictions(
        model_id="drift",
        horizon=Horizon.M3,
        cutoffs=DATA.dates[:n],
        sessions=DATA.sessions[:n],
        refit_sessions=np.zeros(n, dtype=np.int64),
        price=DATA.price[:n],
        y_hat=np.array([0.1, -0.2, 1e-17, 0.3]),
        y=np.array([0.1, 0.2, 0.3, np.nan]),
    )


def test_predictions_come_back_and_equal_ones_have_equal_bytes(lake):
    told = predictions()
    ref = told.put(lake, "predictions/1")
    found = Predictions.get(lake, ref)
    for name in ("cutoffs", "sessions", "refit_sessions", "price", "y_hat", "y"):
        assert np.array_equal(getattr(found, name), getattr(told, name), equal_nan=name == "y")
    assert (found.model_id, found.horizon) == ("drift", Horizon.M3)
    assert found.put(lake, "predictions/2").sha256 == ref.sha256


def test_the_table_has_the_agreed_columns_and_a_null_for_an_unknown_outcome(lake):
    table = get_table(lake, predictions().put(lake, "predictions/1"))
    assert table.schema.equals(SCHEMA)
    assert table["y"].null_count == 1
    assert (table["target_session"].to_numpy() - table["session"].to_numpy() == 63).all()


def test_a_lost_table_says_so(lake, tmp_path):
    ref = predictions().put(lake, "predictions/1")
    (tmp_path / "cas" / ref.sha256[:2] / ref.sha256).unlink()
    with pytest.raises(InfrastructureError, match="missing"):
        Predictions.get(lake, ref)
