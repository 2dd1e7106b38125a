"""Takes the pictures of docs/buyer.md from a lake on which the simulated market has run: ``make pictures``."""

from __future__ import annotations

import io
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope
from cbi_common.events.decision import NeedStated
from cbi_common.procurement.month import month_of
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.commands.reading import read_runs
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake
from cbi_common.testing.browser import browser
from cbi_common.testing.served import served
from dashboard.adapters.buyer import Buyer
from dashboard.adapters.guard import Access, Guard
from dashboard.domain.known import Known
from dashboard.domain.view import forecast_run
from dashboard.handlers import create_api

PICTURES = {
    "today": ("/", 1000, 1080, "light"),
    "today-phone": ("/", 375, 760, "light"),
    "why": ("/why", 1000, 900, "light"),
    "regime": ("/regime", 1000, 620, "dark"),
    "decisions": ("/decisions", 1000, 1180, "light"),
    "track": ("/track", 1000, 820, "light"),
}
_COLOURS = 96


def main(lake: str, folder: Path) -> None:
    """Write a PNG of each page."""
    runs: Runs = read_runs(lake)
    run = forecast_run(runs)
    if not run.simulated:
        raise UsageError("only pictures of the simulated market may be published", where=lake)
    assert run.forecast is not None
    now = datetime.combine(run.forecast.data.as_of + timedelta(days=1), time(8), UTC)
    known = Known(runs)
    known.apply(_need(run.forecast.data.as_of, now))
    access = Access()
    store = Lake(lake)
    api = create_api(known, lambda: now, store, access=access, buyer=Buyer(store, Workers(1, 60)))
    folder.mkdir(parents=True, exist_ok=True)
    with served(Guard(api, access)) as address, browser() as shown:
        for name, (path, width, height, scheme) in PICTURES.items():
            page = shown.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(f"{address}{path}")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(_COLOURS).save(folder / f"{name}.png", optimize=True)
            page.close()


def _need(as_of: date, now: datetime) -> Envelope[Any]:
    said = NeedStated(market="zl", simulated=True, by="chris", since=month_of(as_of), quantity=600_000)
    return Envelope.first(said, source="pictures", now=now, event_id="need")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
