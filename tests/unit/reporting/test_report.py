import json
from datetime import timedelta

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.reporting.projection import Runs
from cbi_common.reporting.report import Measured, Report, build_report
from cbi_common.testing.story import AS_OF, POINTS, RUN_ID, START, Story, exported, forecast_ready

H = [str(h) for h in Horizon]

# The contract of `cbi run --json`: what other tools read. A key may be added, none may go.
TOP = {
    "run_id", "as_of", "market", "warehouse", "simulated", "profile", "quality", "datasets", "models", "volatility",
    "regime", "ensemble", "forecasts", "explanations", "gates", "backtest", "timings", "peak_rss_mb",
}  # fmt: skip
MODEL = {
    "model_id", "family", "horizon", "device", "dataset", "status", "n_cutoffs", "refits", "cached_folds",
    "fit_seconds", "peak_mb", "metrics",
}  # fmt: skip
METRICS = {"mape", "r2", "mase", "skill", "dm_p", "directional_accuracy", "n_effective"}
ENSEMBLE = {
    "combiner", "members", "metrics", "coverage_90", "winkler_90", "worst_year_coverage", "coverage_90_last60",
    "garch_coverage_90", "garch_winkler_90", "spa_p", "n_effective", "note",
}  # fmt: skip
FORECAST = {
    "target_date", "point", "lower_90", "upper_90", "current", "no_change", "signal", "probability_up", "regime",
}  # fmt: skip


def report_of(events: list[Envelope[object]], measured: Measured | None = None) -> dict:
    (run,) = Runs(events).all()
    return json.loads(build_report(run, measured).model_dump_json())


@pytest.fixture(scope="module")
def whole() -> dict:
    return report_of(Story().whole(failed="dense"), Measured(wall_s=12.5, cores=2, peak_rss_mb=900.0))


def test_every_key_of_the_contract_is_there(whole: dict) -> None:
    assert set(whole) >= TOP
    assert set(whole["models"][0]) >= MODEL
    assert set(whole["models"][-1]["metrics"]) >= METRICS
    assert list(whole["ensemble"]) == list(whole["forecasts"]) == list(whole["explanations"]) == H
    assert all(set(e) >= ENSEMBLE for e in whole["ensemble"].values())
    assert all(set(f) >= FORECAST for f in whole["forecasts"].values())
    assert set(whole["explanations"]["1m"]) >= {"baseline", "groups", "residual", "why", "driver_coverage"}
    assert set(whole["regime"]) == {
        "state", "probabilities", "nowcast_accuracy", "balanced_accuracy", "forward_accuracy", "persistence_accuracy",
        "switches_per_year", "detection_lag", "brier", "calibration_error",
    }  # fmt: skip
    assert set(whole["timings"]) == {"wall_s", "fit_cpu_s", "cores", "stages"}


def test_values_come_from_the_events(whole: dict) -> None:
    assert (whole["run_id"], whole["as_of"], whole["simulated"]) == (RUN_ID, AS_OF.isoformat(), True)
    assert {h: f["point"] for h, f in whole["forecasts"].items()} == {str(h): p for h, p in POINTS.items()}
    assert whole["regime"]["forward_accuracy"] == {"5": 0.8, "21": None}
    assert whole["regime"]["persistence_accuracy"] == {"5": 0.82, "21": 0.66}
    assert whole["gates"]["1w"]["policies"]["plan"]["gates"][0]["value"] is None
    assert whole["gates"]["1w"]["policies"]["plan"]["verdict"] == "fail"
    assert whole["ensemble"]["3m"]["n_effective"] == 60
    assert whole["datasets"]["full"]["dropped_columns"] == {"vix": "stale"}
    assert whole["quality"]["tables"]["prices"]["findings"][0]["count"] == 2
    assert whole["peak_rss_mb"] == 900.0


def test_explanations_sum_to_the_move(whole: dict) -> None:
    for h, explanation in whole["explanations"].items():
        total = sum(explanation["groups"].values()) + explanation["residual"]
        assert total == pytest.approx(whole["forecasts"][h]["point"] - explanation["baseline"])


def test_what_is_not_built_yet_is_null_or_empty(whole: dict) -> None:
    assert whole["backtest"] == {}
    assert whole["ensemble"]["1w"]["garch_coverage_90"] is None
    assert whole["ensemble"]["1w"]["spa_p"] is None


def test_a_failed_model_has_its_reason_and_no_numbers(whole: dict) -> None:
    failed = [m for m in whole["models"] if m["status"] == "failed"]
    assert [m["model_id"] for m in failed] == ["dense"] * len(H)
    assert failed[0]["metrics"] is None
    assert "900 CPU seconds" in failed[0]["error"]


def test_a_planned_model_that_never_answered_is_missing() -> None:
    models = report_of(Story().whole()[:3])["models"]
    assert [(m["model_id"], m["horizon"], m["status"]) for m in models] == [("ets", h, "missing") for h in H]
    assert models[0]["family"] is None


def test_timings_are_sums_and_spans_of_the_events(whole: dict) -> None:
    assert whole["timings"]["wall_s"] == 12.5
    assert whole["timings"]["fit_cpu_s"] == pytest.approx(0.5 * len(H))
    # one second per event: request, export, two plans, ten results, regime, forecast, explanation, validation, decision
    assert whole["timings"]["stages"] == {
        "ingest": 1.0, "training": 12.0, "regime": 13.0, "ensemble": 1.0,
        "explain": 1.0, "monitor": 2.0, "promoter": 3.0,
    }  # fmt: skip


def test_without_measurement_nothing_is_invented() -> None:
    report = report_of(Story().whole())
    assert report["timings"]["cores"] is None
    assert report["peak_rss_mb"] is None
    assert report["timings"]["wall_s"] == 18.0


def test_a_rejected_run_reports_the_finding_and_no_forecast() -> None:
    report = report_of(Story().rejection())
    assert report["rejected"] == {
        "table": "prices", "check": "text_in_numbers", "count": 3, "message": "close holds text",
    }  # fmt: skip
    assert (report["run_id"], report["forecasts"], report["missing"], report["regime"]) == (None, {}, {}, None)
    assert report["quality"]["tables"]["prices"]["verdict"] == "rejected"


def test_a_missing_horizon_keeps_its_reason() -> None:
    story = Story()
    events = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M12))]
    report = report_of(events)
    assert report["missing"] == {"12m": "no member has matured cutoffs"}
    assert list(report["forecasts"]) == H[:-1]


def test_the_report_refuses_nan() -> None:
    (run,) = Runs(Story().whole()).all()
    fields = build_report(run).model_dump() | {"peak_rss_mb": float("nan")}
    with pytest.raises(ValueError, match="finite number"):
        Report.model_validate(fields)


def test_a_second_pass_over_equal_inputs_differs_only_in_request_and_time() -> None:
    first = report_of(Story("one").whole())
    second = report_of(Story("two", START + timedelta(hours=3)).whole())
    assert {k for k in first if first[k] != second[k]} == {"request_id"}
