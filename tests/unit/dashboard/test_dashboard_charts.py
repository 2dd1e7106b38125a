"""Charts: what is drawn stands where its value says, and is told to those who do not see it."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.charts import bars, scale, series
from dashboard.domain.charts.frame import NARROW, WIDE, Cells, Figure
from dashboard.domain.charts.ink import area, element, path
from dashboard.domain.charts.waterfall import Share, waterfall

DAYS = [date(2024, 1, 1) + timedelta(days=7 * i) for i in range(60)]
NO_CELLS = Cells(("a",), ())
finite = st.floats(-1e6, 1e6)


def drawn(plot: series.Plot) -> tuple[ElementTree.Element, ElementTree.Element]:
    found = series.figure("f", "Title & more", "What <it> says", plot, NO_CELLS)
    return parsed(found)


def parsed(found: Figure) -> tuple[ElementTree.Element, ElementTree.Element]:
    return ElementTree.fromstring(str(found.wide)), ElementTree.fromstring(str(found.narrow))


def of(drawing: ElementTree.Element, mark: str) -> list[ElementTree.Element]:
    return [part for part in drawing.iter() if mark in (part.get("class") or "").split()]


def places(part: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", part.get("d") or "")]


@given(finite, st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_inside_round_and_as_many_as_asked_for(low: float, span: float, about: int) -> None:
    ticks = scale.number_ticks(low, low + span, about)
    slack = 1e-6 * max(abs(low), span)
    assert 1 <= len(ticks) <= 3 * about
    assert all(low - slack <= tick.at <= low + span + slack for tick in ticks)
    steps = {round((b.at - a.at) / (ticks[1].at - ticks[0].at), 3) for a, b in pairwise(ticks)}
    assert steps <= {1.0}


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(30, 9000), st.integers(3, 8))
def test_days_below_the_axis_are_first_days_of_months_in_order(first: date, days: int, about: int) -> None:
    ticks = scale.day_ticks(first, first + timedelta(days=days), about)
    told = [date.fromordinal(int(tick.at)) for tick in ticks]
    assert all(day.day == 1 for day in told)
    assert told == sorted(set(told))
    assert len(ticks) <= about + 2


@given(finite, finite, st.floats(0, 1))
def test_a_scale_maps_its_ends_and_what_lies_between(low: float, high: float, share: float) -> None:
    at = scale.Scale(low, high, 10, 90)
    if low == high:
        assert at(low) == 50
        return
    value = low + share * (high - low)
    assert at(value) == pytest.approx(10 + 80 * (value - low) / (high - low), abs=1e-6)


def test_a_range_has_room_and_ignores_what_is_not_known() -> None:
    assert scale.extent([math.nan, math.inf, 2.0, 4.0], room=0) == (2.0, 4.0)
    assert scale.extent([], room=0.1) == (0.0, 1.0)
    low, high = scale.extent([5.0], room=0.1)
    assert low < 5 < high
    assert scale.extent([0.0], room=0.1) == (-1.0, 1.0)


def test_an_element_escapes_what_it_is_given() -> None:
    told = str(element("text", "<script>", x=1.0, title='"&'))
    assert told == '<text x="1" title="&#34;&amp;">&lt;script&gt;</text>'
    assert area([(0, 0), (1, 0)], [(0, 5), (1, 5)]) == "M0 0L1 0L1 5L0 5Z"
    assert path([]) == ""


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_line_rises_to_the_right_and_stays_inside(size) -> None:
    values = [float(i) for i in range(60)]
    drawing = drawn(series.Plot(lines=[series.Line("actual", "price", DAYS, values)]))[size is NARROW]
    (line,) = of(drawing, "actual")
    spots = places(line)
    assert len(spots) == 60
    assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    assert [y for _, y in spots] == sorted((y for _, y in spots), reverse=True)
    assert all(size.left <= x <= size.width - size.right for x, _ in spots)
    assert all(0 <= y <= size.height - size.bottom for _, y in spots)


def test_what_is_not_known_breaks_a_line_and_leaves_an_area() -> None:
    values = [1.0, 2.0, math.nan, 3.0, 4.0, math.nan, 5.0]
    days = DAYS[:7]
    part = series.Area("band90", "band", days, [v - 1 for v in values], [v + 1 for v in values])
    wide, _ = drawn(series.Plot(lines=[series.Line("actual", "price", days, values)], areas=[part]))
    assert [len(places(line)) for line in of(wide, "actual")] == [2, 2]
    assert len(places(of(wide, "band90")[0])) == 10
    assert "nan" not in ElementTree.tostring(wide, encoding="unicode")


def test_a_picture_has_a_title_and_a_description_of_its_own_in_each_width() -> None:
    wide, narrow = drawn(series.Plot(lines=[series.Line("actual", "price", DAYS, [1.0] * 60)]))
    ids = set()
    for drawing in (wide, narrow):
        assert drawing.get("role") == "img"
        named = (drawing.get("aria-labelledby") or "").split()
        texts = {part.get("id"): part.text for part in drawing.iter() if part.get("id")}
        assert [texts[name] for name in named] == ["Title & more", "What <it> says"]
        ids |= set(named)
    assert len(ids) == 4


def test_labels_of_points_do_not_lie_on_each_other() -> None:
    points = [series.Point("dot", DAYS[0] + timedelta(days=d), 1.0, str(d)) for d in (0, 1, 200)]
    wide, _ = drawn(series.Plot(points=points))
    assert len(of(wide, "dot")) == 3
    assert [label.text for label in of(wide, "point-label")] == ["0", "200"]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=9), st.floats(20, 90))
def test_a_waterfall_leads_from_the_first_to_the_last_level(values: list[float], start: float) -> None:
    end = start + sum(values)
    shares = [Share(f"s{i}", value) for i, value in enumerate(values)]
    found = waterfall("w", "t", "c", Share("today", start), shares, Share("forecast", end), lambda v: f"{v:+.2f}")
    wide, _ = parsed(found)
    rects = [*of(wide, "up"), *of(wide, "down")]
    assert len(rects) == len(values)
    assert len(of(wide, "up")) == sum(value >= 0 for value in values)
    levels = [float((part.get("d") or "").split()[0][1:]) for part in of(wide, "level")]
    rects.sort(key=lambda part: float(part.get("y") or 0))
    ends = [(float(part.get("x") or 0), float(part.get("width") or 0)) for part in rects]
    first = ends[0][0] if values[0] >= 0 else sum(ends[0])
    last = sum(ends[-1]) if values[-1] >= 0 else ends[-1][0]
    # A share that is too small to be seen is drawn one unit wide.
    assert first == pytest.approx(levels[0], abs=1.2)
    assert last == pytest.approx(levels[1], abs=1.2)
    assert len(found.cells.rows) == len(values) + 2


def test_small_bars_are_pictures_of_the_number_beside_them() -> None:
    found = ElementTree.fromstring(str(bars.share(0.25)))
    track, filled = found
    assert found.get("aria-hidden") == "true"
    assert float(filled.get("width") or 0) == 0.25 * float(track.get("width") or 0)
    assert float(ElementTree.fromstring(str(bars.share(7.0)))[1].get("width") or 0) == 120
