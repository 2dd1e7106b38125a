from dataclasses import asdict, fields

import numpy as np
import pytest

from cbi_common.events.training import Metrics
from cbi_common.timeseries.losses import mape, r2
from cbi_common.timeseries.scoring import Score, score, volatility_score


def rows(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sessions = np.arange(n) * 5
    y = rng.normal(0.0, 0.03, n)
    return {
        "sessions": sessions,
        "target_sessions": sessions + 21,
        "price": rng.uniform(30, 60, n),
        "y_hat": 0.3 * y + rng.normal(0.0, 0.01, n),
        "y": y,
    }


def run(data: dict[str, np.ndarray], naive_mae: float | None = None) -> Score:
    return score(**data, horizon_sessions=21, step=5, naive_mae=naive_mae)


def test_fields_are_those_of_the_event() -> None:
    assert [f.name for f in fields(Score)] == list(Metrics.model_fields)


def test_a_score_is_an_event_payload_of_plain_numbers() -> None:
    found = asdict(run(rows(252), naive_mae=2.0))
    assert {type(v) for v in found.values()} == {int, float, type(None)}
    assert {name for name, value in found.items() if value is None} == {"qlike", "volatility_mae"}
    Metrics.model_validate(found, strict=True)


def test_prices_are_rebuilt_from_log_returns_and_no_change_is_scored_on_the_same_rows() -> None:
    data = rows(252)
    found = run(data, naive_mae=2.0)
    forecast, actual = data["price"] * np.exp(data["y_hat"]), data["price"] * np.exp(data["y"])
    own, unchanged = np.abs(forecast - actual).mean(), np.abs(data["price"] - actual).mean()
    assert found.mae == pytest.approx(own)
    assert found.mase == pytest.approx(own / 2.0)
    assert found.pinball_50 == pytest.approx(own / 2.0)
    assert found.mape == pytest.approx(mape(forecast, actual))
    assert found.r2 == pytest.approx(r2(forecast, actual))
    assert found.no_change_mae == pytest.approx(unchanged)
    assert found.no_change_mape == pytest.approx(mape(data["price"], actual))
    assert found.skill == pytest.approx(1 - own / unchanged)
    assert found.skill > 0.1
    assert found.dm_p is not None
    assert found.dm_p < 0.01
    assert found.n == 252
    assert found.n_effective == pytest.approx((251 * 5 + 21) / 21)


def test_rows_without_outcome_or_forecast_do_not_count() -> None:
    data, whole = rows(60), rows(50)
    data["y"][55:] = np.nan
    data["y_hat"][50:55] = np.nan
    whole = {name: values[:50] for name, values in data.items()}
    assert run(data) == run(whole)


def test_no_change_itself_has_no_skill_no_direction_and_no_p_value() -> None:
    data = rows(100)
    data["y_hat"][:] = 0.0
    found = run(data)
    assert found.skill == 0.0
    assert found.directional_accuracy is None
    assert found.dm_p is None
    assert found.mae == found.no_change_mae


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_have_a_count_and_nothing_else(n: int) -> None:
    found = asdict(run(rows(n), naive_mae=2.0))
    assert found.pop("n") == n
    assert found.pop("n_effective") == n
    assert set(found.values()) == {None}


def test_there_is_no_mase_without_its_scale() -> None:
    assert run(rows(50)).mase is None


def test_no_number_is_ever_nan() -> None:
    data = rows(10)
    data["y"][:] = 0.0
    data["price"][:] = 40.0
    found = run(data)
    assert found.r2 is None
    assert found.skill is None
    assert all(value is None or np.isfinite(value) for value in asdict(found).values())


def test_a_volatility_is_scored_by_qlike_beside_its_yardstick() -> None:
    rng = np.random.default_rng(4)
    sessions = np.arange(300) * 5
    truth = 0.05 * np.exp(0.3 * rng.normal(size=300))
    realised = truth * np.exp(0.1 * rng.normal(size=300))
    realised[:4], truth[4] = (np.nan, 0.0, 0.05, 0.05), np.nan
    flat = np.full(300, 0.05)
    near = volatility_score(sessions, sessions + 21, truth, realised, flat, horizon_sessions=21, step=5)
    same = volatility_score(sessions, sessions + 21, flat, realised, flat, horizon_sessions=21, step=5)
    ratio = (realised[5:] / truth[5:]) ** 2
    by_hand = np.concatenate([(realised[2:4] / truth[2:4]) ** 2, ratio])
    assert near.n == 297
    assert near.qlike == pytest.approx(np.mean(by_hand - np.log(by_hand) - 1))
    daily = 100 * np.abs(np.concatenate([truth[2:4] - realised[2:4], truth[5:] - realised[5:]])) / np.sqrt(21)
    assert near.volatility_mae == pytest.approx(daily.mean())
    assert near.skill is not None
    assert near.skill > 0.5
    assert near.dm_p is not None
    assert near.dm_p < 0.01
    assert same.skill == 0.0
    assert near.mape is None
    assert near.n_effective == pytest.approx((299 * 5 + 21 - 2 * 5) / 21)


def test_volatilities_of_one_row_have_a_count_and_nothing_else() -> None:
    sessions, flat = np.arange(3) * 5, np.full(3, 0.05)
    realised = np.array([np.nan, 0.04, 0.06])
    one = volatility_score(
        sessions[:2], sessions[:2] + 21, flat[:2], realised[:2], flat[:2], horizon_sessions=21, step=5
    )
    assert {name: value for name, value in asdict(one).items() if value is not None} == {"n": 1, "n_effective": 1.0}
    assert (
        volatility_score(sessions, sessions + 21, flat, realised, flat, horizon_sessions=21, step=5).qlike is not None
    )


def test_volatilities_of_no_row_are_not_scored() -> None:
    sessions, flat, nothing = np.arange(2) * 5, np.full(2, 0.05), np.array([np.nan, 0.0])
    assert volatility_score(sessions, sessions, flat, nothing, flat, horizon_sessions=21, step=5).qlike is None


def test_two_rows_are_scored() -> None:
    assert run(rows(2)).mae is not None
