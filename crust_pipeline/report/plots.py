"""The plots of the report, as SVG that takes its text colour from the page around it."""

from io import StringIO
from itertools import cycle
from typing import Any

import altair as alt

from crust_pipeline.report.facts import STAGES, Facts, Row
from crust_pipeline.vendors.catalog import OPERATIONS

WIDTH, HEIGHT = 720, 220
# Readable on white and on near-black, and apart from each other for the colour-blind.
_PALETTE = ("#5b8def", "#d07a2a", "#2a9d82", "#b178d6", "#d1638f", "#7f8a99", "#8a6d3b")
OPERATION_COLOURS = dict(zip(OPERATIONS, cycle(_PALETTE), strict=False))
STATE_COLOURS = {
    "complete": "#2a9d82",
    "waiting": "#5b8def",
    "over budget": "#a9821a",
    "needs a decision": "#d9534f",
}
_TEXT: dict[str, Any] = {"labelColor": "currentColor", "titleColor": "currentColor"}
_FONT = "system-ui, sans-serif"


def spend(facts: Facts) -> str:
    """Draw credits by the day on which they were spent, by operation."""
    chart = _chart(facts.spend).mark_bar(size=18)
    return _svg(
        chart.encode(
            x=_days("day", "day of the submit (UTC)"),
            y=alt.Y("sum(credits):Q", title="credits"),
            color=_operations(facts.spend),
        )
    )


def funnel(facts: Facts) -> str:
    """Draw rows at each stage, by operation."""
    chart = _chart(facts.funnel).mark_bar()
    return _svg(
        chart.encode(
            y=alt.Y("stage:N", sort=list(STAGES.values()), title=None),
            yOffset=alt.YOffset("operation:N"),
            x=alt.X("rows:Q", title="input rows"),
            color=_operations(facts.funnel),
        )
    )


def fill_rate(facts: Facts) -> str:
    """Draw the fill rate by day and operation."""
    chart = _chart(facts.fill_rate).mark_line(point=True, strokeWidth=2)
    return _svg(
        chart.encode(
            x=_days("day", "partition"),
            y=alt.Y("fill_rate:Q", title="found of answered", axis=alt.Axis(format="%")).scale(
                domain=[0, 1]
            ),
            color=_operations(facts.fill_rate),
        )
    )


def slots(facts: Facts) -> str:
    """Draw slots held over time, and the number of slots."""
    held = (
        _chart(facts.slots_held)
        .mark_area(
            interpolate="step-after", opacity=0.55, color=STATE_COLOURS["waiting"], line=True
        )
        .encode(
            x=alt.X("at:T", title="time (UTC)").scale(type="utc"),
            y=alt.Y("held:Q", title="slots held", stack=None, axis=alt.Axis(tickMinStep=1)).scale(
                domain=[0, facts.slots + 0.5]
            ),
        )
    )
    limit = alt.Chart(alt.Data(values=[{"slots": facts.slots}])).mark_rule(
        strokeDash=[6, 4], color="currentColor"
    )
    return _svg(alt.layer(held, limit.encode(y="slots:Q")))


def days(facts: Facts) -> str:
    """Draw the state of each day, by operation."""
    chart = _chart(facts.days).mark_rect(cornerRadius=2, stroke="none")
    operations = {row["operation"] for row in facts.days}
    states = [state for state in STATE_COLOURS if any(row["state"] == state for row in facts.days)]
    return _svg(
        chart.encode(
            x=_days("day", "partition"),
            y=alt.Y("operation:N", title=None),
            color=alt.Color("state:N", title="state").scale(
                domain=states, range=[STATE_COLOURS[state] for state in states]
            ),
        ),
        height=36 * len(operations),
    )


def _chart(rows: list[Row]) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))


def _days(field: str, title: str) -> alt.X:
    return alt.X(f"{field}:O", title=title, axis=alt.Axis(labelAngle=-45, labelOverlap=True))


def _operations(rows: list[Row]) -> alt.Color:
    names = [name for name in OPERATION_COLOURS if any(row["operation"] == name for row in rows)]
    return alt.Color("operation:N", title="operation").scale(
        domain=names, range=[OPERATION_COLOURS[name] for name in names]
    )


def _svg(chart: alt.Chart | alt.LayerChart | alt.FacetChart, *, height: int = HEIGHT) -> str:
    text = StringIO()
    (
        chart.properties(width=WIDTH, height=height, background="transparent", padding=16)
        .configure(font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(
            **_TEXT,
            gridColor="currentColor",
            gridOpacity=0.12,
            domainColor="currentColor",
            tickColor="currentColor",
        )
        .configure_legend(**_TEXT, orient="top")
        .save(text, format="svg")
    )
    return text.getvalue()
