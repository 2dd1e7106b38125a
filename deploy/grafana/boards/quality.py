"""Forecasts against what happened, beside no-change."""

from __future__ import annotations

from boards.spec import Board, Panel, Query, Row, one

_OF = '{market=~"$market"}'
_LEGEND = "{{market}} {{world}} {{horizon}} {{source}}"
_SCORES = Row(
    "Scores over all matured forecasts",
    (
        Panel(
            "MAPE beside no-change",
            "A forecast is worth something where its line is below no-change's.",
            (
                Query(f"cbi_score_mape_ratio{_OF}", _LEGEND),
                Query(f"cbi_score_no_change_mape_ratio{_OF}", f"{_LEGEND} no-change"),
            ),
            unit="percentunit",
            width=12,
            runbook="WorseThanNoChange",
        ),
        one(
            "Skill",
            "1 - MAE / MAE of no-change: above 0 is better than no-change; a few percent is much.",
            f"cbi_score_skill_ratio{_OF}",
            _LEGEND,
            unit="percentunit",
            width=12,
            runbook="WorseThanNoChange",
        ),
        one(
            "Coverage of the 90 % band",
            "Ought to be near 90 %.",
            f"cbi_score_coverage_ratio{_OF}",
            _LEGEND,
            unit="percentunit",
            width=12,
            warn=0.85,
            bad=0.8,
            runbook="CoverageLow",
        ),
        one(
            "Direction",
            "Share with the right sign; a coin has 50 %.",
            f"cbi_score_direction_ratio{_OF}",
            _LEGEND,
            unit="percentunit",
            width=6,
            runbook="WorseThanNoChange",
        ),
        one(
            "Scored forecasts",
            "How many matured; overlapping outcomes are fewer than they look.",
            f"cbi_score_forecasts{_OF}",
            _LEGEND,
            width=6,
        ),
    ),
)
_AGE = Row(
    "The newest forecast",
    (
        one(
            "Age by horizon",
            "Of the newest final forecast; the simulated market's only where there is no other.",
            f"market_horizon:cbi_forecast_age_seconds:newest{_OF}",
            "{{market}} {{world}} {{horizon}}",
            unit="s",
            warn=180_000,
            bad=345_600,
            runbook="ForecastOld",
        ),
        one(
            "Age of its data",
            "From the day that it was made as of.",
            f"time() - max by (market, world) (cbi_forecast_as_of_timestamp_seconds{_OF})",
            "{{market}} {{world}}",
            unit="s",
            runbook="DataStale",
        ),
        one(
            "Horizons without a forecast",
            "In the newest forecast.",
            f"cbi_forecast_missing_horizons{_OF}",
            "{{market}} {{world}}",
            bad=1,
            runbook="RunIncomplete",
        ),
    ),
)
BOARD = Board("cbi-quality", "CBI Forecast quality", "What the forecasts are worth.", (_SCORES, _AGE))
