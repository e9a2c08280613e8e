"""Bars beside each other (wanted and realised, say) and histograms, as inline SVG with the values written at them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from vaak.page.axis import Scale, number, series_classes, tick_text, ticks

_BAR, _GAP, _TOP = 13, 11, 6
_LABEL_SHARE = 0.24


def bar_chart(
    groups: Mapping[str, Mapping[str, float]], title: str, *, form: str = "{:,.4g}", width: int = 760
) -> Markup:
    """Horizontal bars: group -> series -> value (NaN: no bar). `form` writes a value, e.g. "{:.1%}" for shares.

    Of two or more series the first is hollow (what is wanted), the others filled: the order shows without colour.
    Raises `ValueError` for a negative value.
    """
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    finite = [value for values in groups.values() for value in values.values() if math.isfinite(value)]
    if any(value < 0 for value in finite):
        raise ValueError(f"chart {title!r}: bars cannot show a negative value")
    left = round(width * _LABEL_SHARE)
    scale = Scale(0.0, max(finite, default=0.0) or 1.0, left, width - 70)
    parts, y = [], float(_TOP)
    for group, values in groups.items():
        middle = y + _BAR * len(names) / 2 + 4
        parts.append(
            Markup('<text class="label" x="{}" y="{}" text-anchor="end">{}</text>').format(left - 8, middle, group)
        )
        for index, name in enumerate(names):
            if name in values:
                hollow = index == 0 and len(names) > 1
                parts.append(_bar(index, hollow, group, name, values[name], form, scale, y + index * _BAR))
        y += _BAR * len(names) + _GAP
    drawing = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line class="axis" x1="{}" y1="0" x2="{}" y2="{}"/>{}</svg>'
    ).format(width, y, f"{title}. {_bars_in_words(groups, form)}", left, left, y - _GAP / 2, Markup("").join(parts))
    legend = _series_legend(names) if len(names) > 1 else ""
    return Markup('<figure class="chart"><figcaption>{}</figcaption>{}<div class="scroll">{}</div></figure>').format(
        title, legend, drawing
    )


def _bar(index: int, hollow: bool, group: str, name: str, value: float, form: str, scale: Scale, y: float) -> Markup:
    words = form.format(value) if math.isfinite(value) else "no value"
    end = scale(value) if math.isfinite(value) else scale.start
    return Markup(
        '<g class="{}"><rect class="{}" x="{}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>'
        '<text class="value" x="{:.1f}" y="{}">{}</text></g>'
    ).format(
        series_classes(index)[0], "hollow" if hollow else "fill", scale.start, y + 1, max(0.0, end - scale.start), _BAR - 2,
        f"{group}, {name}: {words}", end + 5, y + _BAR - 2.5, words,
    )  # fmt: skip


def _series_legend(names: Sequence[str]) -> Markup:
    items = []
    for index, name in enumerate(names):
        form = (
            '<li><span class="{}"><svg viewBox="0 0 24 10" aria-hidden="true">'
            '<rect class="{}" x="2" y="1" width="20" height="8"/></svg>{}</span></li>'
        )
        items.append(Markup(form).format(series_classes(index)[0], "hollow" if index == 0 else "fill", name))
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _bars_in_words(groups: Mapping[str, Mapping[str, float]], form: str) -> str:
    return "; ".join(
        f"{group}: " + ", ".join(f"{name} {form.format(value)}" for name, value in values.items())
        for group, values in groups.items()
    )


@dataclass(frozen=True)
class Bins:
    """A histogram already counted: `edges` [n+1] ascending, `counts` [n]."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def bins_of(values: Any, bins: int = 24) -> Bins:
    """Counts of the finite ones of `values` in `bins` equal parts between round ends."""
    finite = np.asarray(values, np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(finite, bins=bins, range=(low, high))
    return Bins(tuple(float(edge) for edge in edges), tuple(int(count) for count in counts))


def histogram(data: Any, title: str, xlabel: str = "", *, bins: int = 24, note: str = "", log: bool = False) -> Markup:
    """A small histogram of raw values, or of `Bins` that were counted elsewhere; each bar tells its range on hover.

    `log`: the values on a logarithmic axis; all edges must be positive.
    """
    data = data if isinstance(data, Bins) else bins_of(data, bins)
    width, height, left, bottom = 340, 170, 38, 34
    total, most = sum(data.counts), max(data.counts, default=0)
    x_scale = Scale(data.edges[0], data.edges[-1], left, width - 10, log)
    y_scale = Scale(0.0, float(most or 1), height - bottom, 8)
    parts = []
    for tick in ticks(0, most or 1, 4):
        if tick == int(tick):
            y = y_scale(tick)
            parts.append(
                Markup('<line class="gridline" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(left, y, width - 10, y)
            )
            parts.append(
                Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(left - 5, y + 4, tick_text(tick))
            )
    for low, high, count in zip(data.edges, data.edges[1:], data.counts, strict=False):
        x, y = x_scale(low), y_scale(count)
        words = f"{number(round(low, 4))} to {number(round(high, 4))}: {count:,}"
        parts.append(
            Markup('<rect class="fill" x="{}" y="{}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>').format(
                x, y, max(0.5, x_scale(high) - x - 0.8), y_scale.start - y, words
            )
        )
    marks = x_scale.ticks(5)
    if log and len(marks) > 7:  # they would run into each other
        marks = [tick for tick in marks if math.log10(tick).is_integer()]
    for tick in marks:
        form = '<text x="{}" y="{}" text-anchor="middle">{}</text>'
        parts.append(Markup(form).format(x_scale(tick), height - bottom + 15, tick_text(tick)))
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format((left + width) / 2, height - 4, xlabel)
    )
    words = f"{title}: {total:,} values from {number(round(data.edges[0], 4))} to {number(round(data.edges[-1], 4))}"
    caption = Markup("{} <small>{}</small>").format(title, note) if note else title
    return Markup(
        '<figure class="chart small"><figcaption>{}</figcaption>'
        '<svg class="s0" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(caption, width, height, words, Markup("").join(parts))
