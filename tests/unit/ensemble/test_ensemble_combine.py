import json

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady, LiveMembers
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.timeseries.calendar import session_date
from ensemble.jobs import combine


def combined(world, **changes) -> ForecastReady:
    return ForecastReady.model_validate(combine({**world.argument(), **changes}))


def test_forecast_of_every_horizon(world):
    ready = combined(world)
    assert set(ready.forecasts) == set(world.horizons)
    assert ready.missing == {}
    for horizon, found in ready.forecasts.items():
        assert found.current == found.no_change == world.panel.price[-1]
        assert found.lower_90 < found.point < found.upper_90
        assert found.target_session == world.manifest.as_of_session + horizon.sessions
        assert found.target_date == session_date(found.target_session)
        assert sum(found.members.values()) == pytest.approx(1.0)
        assert found.members["lgbm"] > found.members["no_change"] > found.members["drift"] == 0.0
        assert found.combiner == "inverse_error"
        assert found.metrics.skill > 0.2
        assert 0.8 < found.coverage_90 <= 1.0
        assert found.worst_year_coverage <= found.coverage_90
        assert list(found.quantiles.values()) == sorted(found.quantiles.values())
        assert (found.quantiles["0.05"], found.quantiles["0.95"]) == (found.lower_90, found.upper_90)
        assert found.note == ""


def test_scores_against_a_naive_loop(world):
    ready = combined(world)
    table = get_table(world.lake, ready.served).to_pylist()
    for horizon in world.horizons:
        window = world.manifest.windows[horizon]
        rows = [r for r in table if r["horizon"] == horizon and window.start <= r["session"] <= window.end]
        assert len(rows) == (window.end - window.start) // 5 + 1
        actual = [r["price"] * np.exp(r["y"]) for r in rows]
        inside = [r["lower"] <= a <= r["upper"] for r, a in zip(rows, actual, strict=True)]
        errors = [abs(r["price"] * np.exp(r["y_hat"]) - a) / a for r, a in zip(rows, actual, strict=True)]
        years = [session_date(r["target_session"]).year for r in rows]
        full = {year for year in years if years.count(year) >= 12}
        yearly = [np.mean([i for i, y in zip(inside, years, strict=True) if y == year]) for year in full]
        found = ready.forecasts[horizon]
        assert found.worst_year_coverage == pytest.approx(min(yearly))
        assert found.coverage_90 == pytest.approx(np.mean(inside))
        assert found.coverage_90_last60 == found.coverage_90
        assert found.metrics.mape == pytest.approx(np.mean(errors))
        assert found.metrics.n == len(rows)


def test_served_table_says_who_served(world):
    table = get_table(world.lake, combined(world).served).to_pydict()
    weights = np.array([table[f"w_{m}"] for m in world.models])
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    live = [i for i, s in enumerate(table["session"]) if s == world.manifest.as_of_session]
    assert len(live) == len(world.horizons)
    assert all(np.isnan(table["y"][i]) for i in live)
    assert min(table["session"]) == 3600


def test_volatility_is_scored(world):
    scores = {v.horizon: v for v in combined(world).volatility}
    assert set(scores) == set(world.horizons)
    assert all(v.model_id == "ewma" and v.qlike > 0 and 0 < v.mae < 1 for v in scores.values())


def test_members_say_what_stands_behind_the_forecast(world):
    ready = combined(world)
    live = LiveMembers.model_validate(world.lake.get_json(ready.members))
    for horizon in world.horizons:
        assert set(live.horizons[horizon]) == set(world.models)
        assert live.horizons[horizon]["lgbm"].learner == "lightgbm"
        assert live.horizons[horizon]["lgbm"].weight == ready.forecasts[horizon].members["lgbm"]
        predicted = sum(m.weight * m.y_hat for m in live.horizons[horizon].values())
        found = ready.forecasts[horizon]
        assert predicted == pytest.approx(np.log(found.point / found.current))
    assert live.regime == world.regime


def test_same_inputs_same_bytes(world, world_of, tmp_path):
    fresh = world_of(Lake(str(tmp_path / "fresh")))
    one, two = combined(world), combined(fresh)
    assert one == two
    assert (one.served.sha256, one.members.sha256) == (two.served.sha256, two.members.sha256)
    assert world.lake.get_json(world.lake.find("ensemble/x")) == json.loads(one.model_dump_json())


def test_order_of_arrival_does_not_matter(world):
    argument = world.argument()
    assert combined(world) == combined(world, trained=argument["trained"][::-1])


def test_failed_members_are_named_and_the_rest_goes_on(world):
    argument = world.argument()
    rest = [t for t in argument["trained"] if t["model_id"] != "lgbm"]
    ready = combined(world, trained=rest, failed=["lgbm@1w", "lgbm@1m"])
    assert ready.missing_members == ("lgbm@1m", "lgbm@1w")
    assert ready.forecasts[Horizon.W1].members == {"drift": 0.0, "no_change": 1.0}
    assert ready.forecasts[Horizon.W1].combiner == "no_change"


def test_a_horizon_without_enough_residuals_is_missing_with_the_reason(world):
    short = world.panel.last(200)
    columns = {"session": short.sessions, "date": short.dates, "price": short.price}
    ref = put_table(world.lake, "panel/short", pa.table(columns))
    manifest = world.manifest.model_copy(update={"datasets": {"panel": ref}})
    reference = world.lake.put_json("manifest/short", manifest.model_dump(mode="json"))
    ready = combined(world, manifest=reference.model_dump(mode="json"), trained=[])
    assert ready.forecasts == {}
    assert "too few for a band" in ready.missing[Horizon.M1]


def test_a_panel_that_ends_early_is_refused(world):
    manifest = world.manifest.model_copy(update={"as_of_session": 9000})
    reference = world.lake.put_json("manifest/late", manifest.model_dump(mode="json"))
    with pytest.raises(DataError, match="no row at"):
        combined(world, manifest=reference.model_dump(mode="json"))


def test_what_is_too_good_is_said_and_a_copy_is_found(world):
    trained = world.argument()["trained"]
    twins = [{**t, "model_id": "ridge"} for t in trained if t["model_id"] == "drift"]
    real = world.manifest.model_copy(update={"simulated": False})
    reference = world.lake.put_json("manifest/real", real.model_dump(mode="json")).model_dump(mode="json")
    ready = combined(world, trained=[*trained, *twins], manifest=reference)
    # The test's tree knows 60 % of the outcome: no honest model does. A simulated market has no such limit.
    assert any("above 15%" in reason for reason in ready.suspect["ensemble"])
    assert ready.duplicates == dict.fromkeys(world.horizons, (("drift", "ridge"),))
    assert (combined(world).suspect, combined(world).duplicates) == ({}, {})


def test_volatility_models_are_scored_and_never_blended(world):
    argument = world.argument()
    bright = {"qlike": 0.12, "volatility_mae": 0.3, "skill": 0.05}
    garch = [
        {**t, "model_id": "garch", "family": "volatility", "metrics": {**t["metrics"], **bright}}
        for t in argument["trained"]
        if t["model_id"] == "drift"
    ]
    ready = combined(world, trained=[*argument["trained"], *garch])
    plain = combined(world, key="ensemble/plain")
    assert {h: f.members for h, f in ready.forecasts.items()} == {h: f.members for h, f in plain.forecasts.items()}
    scored = {(v.model_id, v.horizon): (v.qlike, v.mae) for v in ready.volatility}
    assert {scored["garch", horizon] for horizon in world.horizons} == {(0.12, 0.3)}
