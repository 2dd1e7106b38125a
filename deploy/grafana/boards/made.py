"""From a dashboard to Grafana's JSON."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from boards.spec import Board, Panel

_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
_HEIGHTS = {"lines": 8, "number": 4, "bars": 8, "table": 8}
_TAG = "cbi"


def as_json(board: Board) -> str:
    """Return the JSON that Grafana reads, with a newline at its end; equal boards, equal bytes."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.why)
        .tags([_TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .refresh("30s")
        .timezone("browser")
        .link(_others())
    )
    if board.by_market:
        made = made.with_variable(
            dashboard.QueryVariable("market")
            .label("Market")
            .datasource(_SOURCE)
            .query("label_values(cbi_recent_runs, market)")
            .include_all(True)
            .multi(True)
            .all_value(".*")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    ids = count(1)
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title).id(next(ids)))
        for panel in row.panels:
            made = made.with_panel(_panel(panel).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Others").type(DashboardLinkType.DASHBOARDS).tags([_TAG])
    return link.as_dropdown(True).keep_time(True).include_vars(True)


def _panel(spec: Panel) -> Any:
    read = f" If it looks wrong: docs/operations.md, {spec.runbook}." if spec.runbook else ""
    panel = (
        _KINDS[spec.kind]()
        .title(spec.title)
        .description(spec.why + read)
        .datasource(_SOURCE)
        .unit(spec.unit)
        .span(spec.width)
        .height(_HEIGHTS[spec.kind])
        .thresholds(_thresholds(spec))
    )
    for number, query in enumerate(spec.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        panel = panel.with_target(_at_once(target, spec.kind))
    return panel


def _at_once(target: prometheus.Dataquery, kind: str) -> prometheus.Dataquery:
    if kind == "lines":
        return target.range()
    return target.instant().format(PromQueryFormat.TABLE if kind == "table" else PromQueryFormat.TIME_SERIES)


def _thresholds(spec: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green")]
    if spec.warn is not None and spec.bad is not None and spec.bad < spec.warn:  # less is worse
        steps = [Threshold(None, "red"), Threshold(spec.bad, "yellow"), Threshold(spec.warn, "green")]
    else:
        steps += [Threshold(spec.warn, "yellow")] if spec.warn is not None else []
        steps += [Threshold(spec.bad, "red")] if spec.bad is not None else []
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _lines() -> timeseries.Panel:
    legend = (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["lastNotNull"])
    )
    tooltip = VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    return timeseries.Panel().legend(legend.show_legend(True)).tooltip(tooltip).fill_opacity(5).line_width(1)


def _number() -> stat.Panel:
    last = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(last).color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)


def _bars() -> bargauge.Panel:
    return (
        bargauge.Panel()
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(VizOrientation.HORIZONTAL)
    )


def _table() -> table.Panel:
    hidden = [DynamicConfigValue(id_val="custom.hidden", value=True)]
    return table.Panel().override_by_regexp("Time|__name__|instance|job|process", hidden)


_KINDS: dict[str, Callable[[], Any]] = {"lines": _lines, "number": _number, "bars": _bars, "table": _table}
