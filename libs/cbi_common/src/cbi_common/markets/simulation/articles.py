"""Short news articles of the simulated market, written from templates so that their tone is that of the day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.identity import digest
from cbi_common.markets.simulation.history import Setting
from cbi_common.markets.simulation.series import Simulation

NEWS_TABLE = "forecasting_data_warehouse.news_advanced"

_SESSIONS = 250
"""Articles exist for the last year only, as in the owner's warehouse."""

_SOURCES = ("Prairie Wire", "Oilseed Daily", "Harbour Report", "Grain Gazette")
_THEMES = ("china", "brazil", "tariffs", "weather", "biofuel")
_CAUSES = {
    "china": "Chinese crushers {moved} their purchases",
    "brazil": "exporters in Brazil {moved} their offers",
    "tariffs": "talks about tariffs {moved} expectations",
    "weather": "rain over the Midwest {moved} estimates of the crop",
    "biofuel": "blenders {moved} their demand for feedstock",
}
_RISES = ("Soybean oil gains", "raised", "Traders call the outlook strong and stocks tight.")
_FALLS = ("Soybean oil slides", "cut", "Traders call the outlook weak and stocks ample.")
_STAYS = ("Soybean oil little changed", "kept", "Traders see no clear direction.")
_CLEAR = 0.5
"""Sentiment beyond which an article takes a side."""


def news_table(setting: Setting, simulation: Simulation) -> pa.Table:
    """Return the articles of the last 250 sessions, ascending by the time they were published."""
    rng = setting.rng("articles")
    days, moods = simulation.dates[-_SESSIONS:], simulation.sentiment[-_SESSIONS:]
    counts = rng.poisson(1 + np.minimum(np.abs(moods), 2))
    rows = [
        _article(day, mood, number, rng)
        for day, mood, count in zip(days, moods, counts, strict=True)
        for number in range(1, int(count) + 1)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_TEXTS = ("source", "source_type", "title", "url", "summary", "full_content", "article_id")
_FIELDS: list[pa.Field[Any]] = [
    *(pa.field(name, pa.string()) for name in _TEXTS),
    pa.field("published_date", pa.timestamp("us")),
    pa.field("content_length", pa.int64()),
    *(pa.field(f"{theme}_mentions", pa.int64()) for theme in _THEMES),
]
_SCHEMA = pa.schema(_FIELDS)


def _article(day: np.datetime64, mood: float, number: int, rng: np.random.Generator) -> dict[str, object]:
    opening, moved, outlook = _RISES if mood > _CLEAR else _FALLS if mood < -_CLEAR else _STAYS
    theme, source = _THEMES[rng.integers(len(_THEMES))], _SOURCES[rng.integers(len(_SOURCES))]
    cause = _CAUSES[theme].format(moved=moved)
    title = f"{opening} as {cause}, {day} no. {number}"
    content = f"{opening} on {day}: {cause} by {rng.integers(1, 30)} percent. {outlook}"
    name = digest("article", title)[:16]
    return {
        "source": source,
        "source_type": "simulated",
        "title": title,
        "url": f"https://news.invalid/{name}",
        "published_date": (day + np.timedelta64(60 * 8 + 45 * number, "m")).astype("datetime64[us]").item(),
        "summary": f"{opening} as {cause}.",
        "full_content": content,
        "content_length": len(content),
        "article_id": name,
    } | {f"{other}_mentions": int(other == theme) for other in _THEMES}
