"""The model card of a story, whole, against a golden file; and what it says of promotion, doubt and odd text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.reporting.card import SIMULATED, Terms, model_card
from cbi_common.reporting.projection import Run
from cbi_common.testing.story import Story, exported, forecast_ready, horizon_forecast, metrics

GOLDEN = Path(__file__).with_name("card.md")


def run_of(*replaced: Any, simulated: bool = True) -> Run:
    """Return the run of a story in which some events say something else."""
    new = {type(data): data for data in replaced}
    events = Story(simulated=simulated).whole()
    told = [event.model_copy(update={"data": new.get(type(event.data), event.data)}) for event in events]
    return Run("req-1", tuple(told))


def test_a_candidate_as_it_is_written() -> None:
    assert model_card(run_of()) == GOLDEN.read_text(encoding="utf-8")


def test_the_same_events_in_another_order_make_the_same_card() -> None:
    events = sorted(Story().whole(), key=lambda event: event.id)
    assert model_card(Run("req-1", tuple(sorted(events, key=lambda e: (e.time, e.id))))) == model_card(run_of())


def test_what_serves_says_on_what_terms_and_only_where() -> None:
    told = model_card(run_of(), (Horizon.M1,), Terms("v-1", "vertex", "relative", "1m e-value 21 | ahead"))
    assert "Serves as `v-1` at target vertex, by policy relative." in told
    assert "Beside the champion: 1m e-value 21 \\| ahead." in told
    assert "| 1m |" in told
    assert "| 3m |" not in told
    assert "3m, policy" not in told


def test_real_data_are_not_called_simulated() -> None:
    assert SIMULATED in model_card(run_of())
    assert "SIMULATED" not in model_card(run_of(simulated=False))


def test_limits_name_what_is_in_doubt_and_nothing_else() -> None:
    proven = {
        h: horizon_forecast(h).model_copy(
            update={"metrics": metrics(skill=0.1, dm_p=0.001), "worst_year_by_chance": 0.7}
        )
        for h in Horizon
    }
    weak = horizon_forecast(Horizon.M12).model_copy(
        update={"metrics": metrics(skill=0.1, dm_p=None).model_copy(update={"n_effective": 6.0}),
                "worst_year_coverage": 0.14, "worst_year_by_chance": 0.4, "note": "insufficient independent history"}
    )  # fmt: skip
    forecast = forecast_ready().model_copy(
        update={"forecasts": {**proven, Horizon.M12: weak}, "suspect": {"tcn": ("R² too high",)},
                "missing_members": ("lstm@1w",)}
    )  # fmt: skip
    export = exported().model_copy(update={"absent": {"news": "no model on this machine"}})
    limits = (
        model_card(run_of(forecast, export)).partition("## Known limits")[2].partition("##")[0].strip().splitlines()
    )
    assert limits == [
        "- 12m: not shown to be better than no-change (skill +10.00 %, p –)",
        "- 12m: 6 independent windows are few to judge by",
        "- 12m: in its worst year the band held 14 %, less than chance allows",
        "- 12m: insufficient independent history",
        "- tcn: R² too high",
        "- without a result: lstm@1w",
        "- without news: no model on this machine",
        "- the list of eras is hindsight; who reads scores by era reads them with that in mind",
    ]


def test_text_of_a_warehouse_stays_text() -> None:
    told = model_card(run_of(exported().model_copy(update={"title": "<b>oil</b> |\nx"})))
    assert told.splitlines()[0].startswith("# Model card: \\<b>oil\\</b> \\| x (zl)")


def test_there_is_no_card_before_the_final_forecast() -> None:
    with pytest.raises(IncompleteError, match="no final forecast"):
        model_card(run_of(forecast_ready().model_copy(update={"provisional": True})))
