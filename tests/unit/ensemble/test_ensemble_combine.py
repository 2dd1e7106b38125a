import json
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady, LiveMembers
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.timeseries.calendar import session_date
from cbi_common.training.predictions import Predictions
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
        assert found.members["lgbm"] > 0.5 > found.members["drift"]
        assert found.combiner in found.combinations
        assert sum(c.served for c in found.combinations.values()) == pytest.approx(1.0)
        assert found.combinations["no_change"].skill == 0.0
        assert found.longest.n > found.metrics.n
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
        matured = [r for r in table if r["horizon"] == horizon and not np.isnan(r["y"])]
        rows = [r for r in matured if window.start <= r["session"] <= window.end]
        assert len(rows) == (window.end - window.start) // 5 + 1
        actual = [r["price"] * np.exp(r["y"]) for r in rows]
        errors = [abs(r["price"] * np.exp(r["y_hat"]) - a) / a for r, a in zip(rows, actual, strict=True)]
        found = ready.forecasts[horizon]
        assert found.metrics.mape == pytest.approx(np.mean(errors))
        assert found.metrics.n == len(rows)
        banded = [r for r in matured if r["cutoff"] >= date(2010, 1, 1) and r["session"] % 5 == 0]
        banded = [r for r in banded if not np.isnan(r["lower"])]
        inside = [r["lower"] <= r["price"] * np.exp(r["y"]) <= r["upper"] for r in banded]
        years = [session_date(r["target_session"]).year for r in banded]
        full = {year for year in years if years.count(year) >= 12}
        yearly = [np.mean([i for i, y in zip(inside, years, strict=True) if y == year]) for year in full]
        recent = [i for i, r in zip(inside, banded, strict=True) if r["session"] > window.end - 60 * 21]
        assert found.n_bands == len(banded) > len(rows)
        assert found.worst_year_coverage == pytest.approx(min(yearly))
        assert found.coverage_90 == pytest.approx(np.mean(inside))
        assert found.coverage_90_last60 == pytest.approx(np.mean(recent))
        assert found.worst_year_by_chance < 0.9
        assert 0 < found.coverage_error < 0.1


def test_served_table_says_who_served(world):
    table = get_table(world.lake, combined(world).served).to_pydict()
    weights = np.array([table[f"w_{m}"] for m in world.models])
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    live = [i for i, s in enumerate(table["session"]) if s == world.manifest.as_of_session]
    assert len(live) == len(world.horizons)
    assert all(np.isnan(table["y"][i]) for i in live)
    assert min(table["session"]) == 3000


def test_volatility_is_scored(world):
    scores = {(v.model_id, v.horizon): v for v in combined(world).volatility}
    assert set(scores) == {(name, h) for name in ("ewma_97", "served") for h in world.horizons}
    assert all(v.qlike > 0 and 0 < v.mae < 1 and v.skill_har is None for v in scores.values())
    assert [v.skill for v in scores.values()] == pytest.approx([0.0] * 4, abs=1e-12)


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
    assert set(ready.forecasts[Horizon.W1].members) == {"drift", "no_change"}
    assert ready.forecasts[Horizon.W1].members["no_change"] > 0.9


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


def test_volatility_models_scale_the_bands_and_are_never_blended(world):
    argument = world.argument()
    garch = []
    for t in argument["trained"]:
        if t["model_id"] != "drift":
            continue
        horizon = Horizon(t["horizon"])
        told = world.predictions("no_change", horizon)
        flat = replace(told, y_hat=np.full(len(told.y_hat), 0.012 * np.sqrt(horizon.sessions)))
        stored = flat.put(world.lake, f"predictions/garch-{horizon}").model_dump(mode="json")
        garch.append({**t, "model_id": "garch", "family": "volatility", "predictions": stored})
    ready = combined(world, trained=[*argument["trained"], *garch])
    plain = combined(world, key="ensemble/plain")
    for horizon in world.horizons:
        found = ready.forecasts[horizon]
        assert set(found.members) == set(plain.forecasts[horizon].members)
        assert found.volatility_weights["garch"] > found.volatility_weights["ewma_97"]  # it knows the truth
        assert plain.forecasts[horizon].volatility_weights == {"ewma_97": 1.0}
    scored = {(v.model_id, v.horizon): v for v in ready.volatility}
    for horizon in world.horizons:
        assert min(scored["garch", horizon].skill, scored["served", horizon].skill) > 0
    # It does not reach back to where bands are scored from: no yardstick rather than one on other rows.
    assert ready.forecasts[Horizon.W1].garch_coverage_90 is None


def test_the_yardstick_is_scored_where_it_reaches_back_far_enough(world):
    argument, garch = world.argument(), []
    for horizon in world.horizons:
        sessions = world.panel.sessions
        told = Predictions(
            model_id="garch", horizon=horizon, cutoffs=world.panel.dates, sessions=sessions,
            refit_sessions=sessions // 252 * 252, price=world.panel.price,
            y_hat=np.full(len(sessions), 0.012 * np.sqrt(horizon.sessions)), y=world.panel.targets(horizon),
        )  # fmt: skip
        stored = told.put(world.lake, f"predictions/long-garch-{horizon}").model_dump(mode="json")
        like = next(t for t in argument["trained"] if t["horizon"] == str(horizon))
        garch.append({**like, "model_id": "garch", "family": "volatility", "predictions": stored})
    found = combined(world, trained=[*argument["trained"], *garch]).forecasts[Horizon.W1]
    assert found.garch_coverage_90 == pytest.approx(0.9, abs=0.05)
    assert found.winkler_90 < found.garch_winkler_90  # the test's tree knows part of the outcome
    assert found.garch_better_p > 0.5
