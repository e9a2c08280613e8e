"""Panels of the Grafana dashboards: one number, curves over time, or a table, each with a title, a unit and what it means."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# Whoever opens a dashboard chooses it at its top; the provisioned one is the only one of ops/compose.yaml.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Colours from a value on; the first one from below.
Levels = tuple[tuple[float | None, str], ...]
PLAIN: Levels = ((None, "blue"),)
HEIGHT, NUMBER_HEIGHT = 8, 4


@dataclass(frozen=True)
class Query:
    """An expression of Prometheus, and how the legend names each of its series."""

    expr: str
    legend: str = "{{run}}"


def _target(one: Query, letter: str) -> query.Dataquery:
    return query.Dataquery().expr(one.expr).legend_format(one.legend).ref_id(letter).datasource(SOURCE)


def _now(one: Query, letter: str) -> query.Dataquery:
    return _target(one, letter).instant()


def _thresholds(levels: Levels) -> build.ThresholdsConfig:
    steps = [model.Threshold(value=value, color=color) for value, color in levels]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def number(
    title: str,
    unit: str,
    meaning: str,
    one: Query,
    *,
    levels: Levels = PLAIN,
    none: str = "no data",
    width: int = 4,
    decimals: int | None = None,
) -> stat.Panel:
    """The value of each series now, coloured by its level: over a time the last one of a process that died would stay.

    none: what stands there without one.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .no_value(none)
        .height(NUMBER_HEIGHT)
        .span(width)
        .thresholds(_thresholds(levels))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(choices.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_now(one, "A"))
    )
    return panel if decimals is None else panel.decimals(decimals)


def curves(
    title: str,
    unit: str,
    meaning: str,
    *queries: Query,
    width: int = 8,
    levels: Levels | None = None,
    least: float | None = None,
    most: float | None = None,
) -> timeseries.Panel:
    """Curves over time. levels: lines across, where an alert begins. least, most: ends of the axis."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .height(HEIGHT)
        .span(width)
        .line_width(1)
        .fill_opacity(0)
        .show_points(choices.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(choices.LegendDisplayMode.LIST)
            .placement(choices.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(choices.TooltipDisplayMode.MULTI).sort(choices.SortOrder.DESCENDING))
    )
    for letter, one in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(_target(one, letter))
    if levels is not None:
        dashed = common.GraphThresholdsStyleConfig().mode(choices.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(levels)).thresholds_style(dashed)
    panel = panel if least is None else panel.min(least)
    return panel if most is None else panel.max(most)


def listed(title: str, meaning: str, expr: str, *, width: int = 24) -> table.Panel:
    """The series of an expression now, a row for each, its labels as columns."""
    target = query.Dataquery().expr(expr).ref_id("A").instant().format(PromQueryFormat.TABLE).datasource(SOURCE)
    hidden = model.DataTransformerConfig(
        id_val="organize", options={"excludeByName": dict.fromkeys(("Time", "Value", "__name__", "alertstate"), True)}
    )
    return (
        table.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit("none")
        .no_value("none")
        .height(HEIGHT)
        .span(width)
        .with_target(target)
        .with_transformation(hidden)
    )


Panels = tuple[stat.Panel | timeseries.Panel | table.Panel, ...]


def _variable(name: str, label: str, ask: str) -> build.QueryVariable:
    # Of all the expression stays short, and a label that is not there is met too.
    return (
        build.QueryVariable(name)
        .label(label)
        .query(ask)
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def dashboard(
    uid: str,
    title: str,
    meaning: str,
    variables: tuple[tuple[str, str, str], ...],
    rows: tuple[tuple[str, Panels], ...],
) -> build.Dashboard:
    """A dashboard. variables: name, label and the query for its values. rows: their titles and panels."""
    made = (
        build.Dashboard(title)
        .uid(uid)
        .description(meaning)
        .tags(["vaak"])
        .editable()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .timezone("browser")
        .refresh("30s")
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            build.DashboardLink("Vaak")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["vaak"])
            .keep_time(True)
            .include_vars(True)
        )
    )
    for name, label, ask in variables:
        made = made.with_variable(_variable(name, label, ask))
    ids = itertools.count(1)
    for name, panels in rows:
        made = made.with_row(build.Row(name).id(next(ids)))
        for panel in panels:
            made = made.with_panel(panel.id(next(ids)))
    return made
