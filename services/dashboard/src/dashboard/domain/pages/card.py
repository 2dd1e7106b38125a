"""A model card: of a version that serves, as it was stored at its promotion, or of the newest forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from cbi_common.reporting.card import SIMULATED, model_card
from dashboard.domain import view
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import Chrome, chrome


@dataclass(frozen=True)
class CardPage:
    """Everything the template shows."""

    chrome: Chrome
    text: str
    """The card in Markdown, which is meant to be read as it is."""
    command: str
    """What prints it in a terminal."""


def of_newest(known: Known, now: datetime) -> CardPage:
    """Return the card of the run whose forecast is shown.

    Raises
    ------
    IncompleteError
        When there is none.
    """
    run = view.forecast_run(known.runs)
    assert run.forecast is not None
    origin = view.origin_of(known.runs, run, run.forecast, now.date())
    return CardPage(chrome("models", "Model card", known, origin), model_card(run), f"cbi card --run {run.run_id}")


def of_version(known: Known, text: str) -> CardPage:
    """Return the card of a version that was promoted."""
    frame = replace(chrome("models", "Model card", known, None), simulated=SIMULATED in text)
    return CardPage(frame, text, "cbi card --champion")
