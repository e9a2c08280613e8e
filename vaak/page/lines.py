"""Curves as inline SVG: axes, round ticks, a legend that hides and highlights, values on hover, NaN as a gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from vaak.page.axis import Scale, number, series_classes, tick_text

HEIGHT, TOP, LEFT, BOTTOM = 330, 14, 58, 44
# A curve needs no more points than its drawing has pixels; a hover title on every one would make the file heavy.
MAX_POINTS, MAX_TITLES = 600, 40
_LABEL_HEIGHT = 13


@dataclass(frozen=True)
class _Curve:
    index: int
    name: str
    x: np.ndarray  # float64 [n]
    y: np.ndarray  # float64 [n], what was given
    drawn: np.ndarray  # float64 [n], the rolling mean, or y itself
    low: np.ndarray | None = None  # float64 [n], the band around it, NaN where there is none
    high: np.ndarray | None = None


def line_chart(
    series: Mapping[str, tuple[Any, Any]],
    title: str,
    xlabel: str = "",
    ylabel: str = "",
    *,
    log_y: bool = False,
    smooth: int = 1,
    marks: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[Any, Any]] | None = None,
    levels: Mapping[str, float] | None = None,
    undecided: bool = False,
    width: int = 760,
) -> Markup:
    """Curves name -> (x [n], y [n]) over shared axes, as a `<figure>`.

    `smooth`: rolling mean over so many points, with the raw curve faint behind it while there are at most three
    series. `marks`: labelled vertical lines at x, e.g. where a stage begins. `bands`: name of a series -> (low [n],
    high [n]), an interval around each of its points, NaN where there is none. `levels`: labelled horizontal lines at y,
    e.g. what a reference reaches. `undecided`: drawn in grey, for figures that decide nothing; the title has to say so.
    NaN breaks a curve; infinities are left out. `width`: about the pixels that the chart will have, so that its letters
    keep their size. On a logarithmic axis only positive values are drawn. Raises `ValueError` if an x and its y differ
    in length.
    """
    bands, levels = bands or {}, levels or {}
    curves = [
        _curve(index, name, x, y, smooth, log_y, bands.get(name)) for index, (name, (x, y)) in enumerate(series.items())
    ]
    filled = [curve for curve in curves if np.isfinite(curve.drawn).any()]
    if not filled:
        return Markup(
            '<figure class="chart"><figcaption>{}</figcaption><p class="quiet">No values yet.</p></figure>'
        ).format(title)
    raw = smooth > 1 and len(filled) <= 3
    right = width - (16 + 7 * min(14, max(len(name) for name in [*levels, *(curve.name for curve in filled)])) + 14)
    x_scale, y_scale = _scales(filled, right, log_y, raw, list((marks or {}).values()), list(levels.values()))
    groups = Markup("\n").join(_draw(curve, x_scale, y_scale, raw) for curve in filled)
    drawing = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}{}</svg>'
    ).format(
        width, HEIGHT, f"{title}. {_in_words(filled, levels)}", _frame(x_scale, y_scale, xlabel, ylabel),
        _marks(marks or {}, x_scale), _levels(levels, x_scale, y_scale), groups,
        _end_labels(filled, levels, y_scale, right),
    )  # fmt: skip
    note = Markup(" <small>rolling mean of {} points</small>").format(smooth) if smooth > 1 else ""
    return Markup(
        '<figure class="chart{}"><figcaption>{}{}</figcaption><div class="scroll">{}</div>{}</figure>'
    ).format(" undecided" if undecided else "", title, note, drawing, _legend(filled, levels))


def _curve(
    index: int, name: str, x: Any, y: Any, smooth: int, log_y: bool, band: tuple[Any, Any] | None = None
) -> _Curve:
    x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    if len(x) != len(y):
        raise ValueError(f"series {name!r} has {len(x)} x and {len(y)} y")
    keep = np.isfinite(x) & ~np.isinf(y)
    x, y = x[keep], y[keep]
    drawn = rolling_mean(y, smooth)
    if log_y:
        y, drawn = np.where(y > 0, y, np.nan), np.where(drawn > 0, drawn, np.nan)
    if band is None:
        return _Curve(index, name, x, y, drawn)
    low, high = (np.asarray(edge, np.float64).ravel()[keep] for edge in band)
    return _Curve(index, name, x, y, drawn, low, high)


def rolling_mean(y: np.ndarray, points: int) -> np.ndarray:
    """Mean of the last `points` finite values at each place (fewer at the start); NaN where y is NaN."""
    finite = np.isfinite(y)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, y, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    stop = np.arange(1, len(y) + 1)
    start = np.maximum(0, stop - max(1, points))
    with np.errstate(invalid="ignore"):
        mean = (sums[stop] - sums[start]) / (counts[stop] - counts[start])
    return np.where(finite, mean, np.nan)


def thinned(x: np.ndarray, y: np.ndarray, limit: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most about `limit` points that keep every visible spike: the lowest and the highest of each of limit/2 parts."""
    if len(x) <= limit:
        return x, y
    kept: list[int] = [0, len(x) - 1]
    for part in np.array_split(np.arange(len(x)), limit // 2):
        finite = part[np.isfinite(y[part])]
        if len(finite):
            kept += [int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])]
        else:
            kept.append(int(part[0]))  # the gap stays a gap
    order = np.unique(kept)
    return x[order], y[order]


def _scales(
    curves: Sequence[_Curve], right: float, log_y: bool, raw: bool, marks: list[float], levels: list[float]
) -> tuple[Scale, Scale]:
    xs = np.concatenate([curve.x for curve in curves] + [np.asarray(marks, np.float64)])
    edges = [edge for curve in curves for edge in (curve.low, curve.high) if edge is not None]
    ys = np.concatenate(
        [*(curve.y if raw else curve.drawn for curve in curves), *edges, np.asarray(levels, np.float64)]
    )
    low, high = float(np.nanmin(ys)), float(np.nanmax(ys))
    if log_y:
        low, high = (low / 1.1, high * 1.1)
    else:
        pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
        # A curve that never goes below zero gets no axis below zero.
        low, high = (max(0.0, low - pad) if low >= 0 else low - pad), high + pad
    bottom = HEIGHT - BOTTOM
    return Scale(float(xs.min()), float(xs.max()), LEFT, right), Scale(low, high, bottom, TOP, log_y)


def _frame(x_scale: Scale, y_scale: Scale, xlabel: str, ylabel: str) -> Markup:
    """Grid lines, axes, ticks and their labels."""
    bottom, right = y_scale.start, x_scale.stop
    parts = []
    for tick in y_scale.ticks():
        y = y_scale(tick)
        parts.append(Markup('<line class="gridline" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(LEFT, y, right, y))
        parts.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 7, y + 4, tick_text(tick)))
    for tick in x_scale.ticks(round((right - LEFT) / 80)):
        x = x_scale(tick)
        parts.append(Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x, bottom, x, bottom + 5))
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(x, bottom + 18, tick_text(tick))
        )
    parts.append(Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(LEFT, bottom, right, bottom))
    middle = (LEFT + right) / 2
    parts.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle, HEIGHT - 8, xlabel))
    turn = f"translate(13 {(TOP + bottom) / 2}) rotate(-90)"
    parts.append(Markup('<text transform="{}" text-anchor="middle">{}</text>').format(turn, ylabel))
    return Markup("").join(parts)


def _marks(marks: Mapping[str, float], x_scale: Scale) -> Markup:
    parts = []
    for name, at in marks.items():
        x = x_scale(at)
        parts.append(Markup('<line class="mark" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x, TOP, x, HEIGHT - BOTTOM))
        parts.append(Markup('<text class="marktext" x="{}" y="{}">{}</text>').format(x + 4, TOP + 10, name))
    return Markup("").join(parts)


def _levels(levels: Mapping[str, float], x_scale: Scale, y_scale: Scale) -> Markup:
    form = '<line class="level" x1="{}" y1="{}" x2="{}" y2="{}"><title>{}</title></line>'
    return Markup("").join(
        Markup(form).format(LEFT, y_scale(y), x_scale.stop, y_scale(y), f"{name}: {number(y)}")
        for name, y in levels.items()
    )


def _draw(curve: _Curve, x_scale: Scale, y_scale: Scale, raw: bool) -> Markup:
    colour, dash = series_classes(curve.index)
    parts = []
    if curve.low is not None and curve.high is not None:
        parts.append(Markup('<path class="band" d="{}"/>').format(_band(curve, x_scale, y_scale)))
    if raw:
        behind = _path(*thinned(curve.x, curve.y), x_scale, y_scale)
        parts.append(Markup('<path class="raw stroke" d="{}"/>').format(behind))
    x, y = thinned(curve.x, curve.drawn)
    parts.append(Markup('<path class="curve stroke {}" d="{}"/>').format(dash, _path(x, y, x_scale, y_scale)))
    finite = np.flatnonzero(np.isfinite(y))
    for at in finite[np.unique(np.linspace(0, len(finite) - 1, MAX_TITLES).astype(int))]:
        words = f"{curve.name}: {number(float(y[at]))} at {number(float(x[at]))}"
        parts.append(
            Markup('<circle class="point fill" cx="{}" cy="{}" r="5"><title>{}</title></circle>').format(
                x_scale(float(x[at])), y_scale(float(y[at])), words
            )
        )
    return Markup('<g data-series="{}" class="{}">{}</g>').format(curve.index, colour, Markup("").join(parts))


def _path(x: np.ndarray, y: np.ndarray, x_scale: Scale, y_scale: Scale) -> str:
    """SVG path data with a gap at every NaN; a value alone between two gaps becomes a dot (a line of no length, round caps)."""
    commands, pen = [], "M"
    for at, (px, py) in enumerate(zip(x, y, strict=True)):
        if math.isnan(py):
            pen = "M"
            continue
        commands.append(f"{pen}{x_scale(px):g} {y_scale(py):g}")
        if pen == "M" and (at + 1 == len(y) or math.isnan(y[at + 1])):
            commands.append("h0")
        pen = "L"
    return "".join(commands)


def _band(curve: _Curve, x_scale: Scale, y_scale: Scale) -> str:
    """SVG path data of the area between the two edges, one piece for each stretch without NaN; a lone point is a stroke."""
    assert curve.low is not None and curve.high is not None
    pieces, inside = [], np.flatnonzero(np.isfinite(curve.low) & np.isfinite(curve.high))
    for part in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
        if len(part):
            below, above = thinned(curve.x[part], curve.low[part]), thinned(curve.x[part], curve.high[part])
            there = [f"{x_scale(x):g} {y_scale(y):g}" for x, y in zip(*above, strict=True)]
            back = [f"{x_scale(x):g} {y_scale(y):g}" for x, y in zip(*below, strict=True)]
            pieces.append("M" + "L".join([*there, *back[::-1]]) + "Z")
    return "".join(pieces)


def _last(curve: _Curve) -> float:
    return float(curve.drawn[np.isfinite(curve.drawn)][-1])


def _end_labels(curves: Sequence[_Curve], levels: Mapping[str, float], y_scale: Scale, right: float) -> Markup:
    """Each curve's and level's name at its right end, pushed apart where they would overlap; too many for the height: none.

    The name of the only curve stands in the legend.
    """
    ends = [(y_scale(y), name, "quiet", "") for name, y in levels.items()]
    if len(curves) > 1:
        ends += [(y_scale(_last(curve)), curve.name, *series_classes(curve.index)) for curve in curves]
    if len(ends) * _LABEL_HEIGHT > HEIGHT - BOTTOM - TOP:
        return Markup("")
    ends.sort(key=lambda end: end[0])
    places = spread([end[0] for end in ends], _LABEL_HEIGHT, TOP + 6, HEIGHT - 16)
    parts = []
    for (start, name, colour, dash), place in zip(ends, places, strict=True):
        shown = name if len(name) <= 14 else name[:13] + "…"
        form = (
            '<g class="{}"><line class="leader stroke {}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
            '<text class="end ink" x="{}" y="{}" aria-hidden="true">{}</text></g>'
        )
        parts.append(
            Markup(form).format(colour, dash, right + 2, start, right + 12, place, right + 15, place + 4, shown)
        )
    return Markup("").join(parts)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending places moved as little as is simple so that they stand `gap` apart within [low, high]."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else max(place, low))
    limit = high
    for at in range(len(moved) - 1, -1, -1):
        moved[at] = min(moved[at], limit)
        limit = moved[at] - gap
    return moved


def _legend(curves: Sequence[_Curve], levels: Mapping[str, float]) -> Markup:
    items = []
    for curve in curves:
        colour, dash = series_classes(curve.index)
        form = (
            '<li><button type="button" class="{0}" data-series="{1}" aria-pressed="true">'
            '<svg viewBox="0 0 24 10" aria-hidden="true"><line class="curve stroke {2}" x1="1" y1="5" x2="23" y2="5"/></svg>'
            "{3} <small>{4}</small></button></li>"
        )
        items.append(Markup(form).format(colour, curve.index, dash, curve.name, number(_last(curve))))
    for name, y in levels.items():
        form = (
            '<li><span><svg viewBox="0 0 24 10" aria-hidden="true"><line class="level" x1="1" y1="5" x2="23" y2="5"/></svg>'
            "{} <small>{}</small></span></li>"
        )
        items.append(Markup(form).format(name, number(y)))
    return Markup('<ul class="legend" aria-label="Series and their last values">{}</ul>').format(Markup("").join(items))


def _in_words(curves: Sequence[_Curve], levels: Mapping[str, float]) -> str:
    """The chart for somebody who cannot see it: where each curve begins and ends, and where the levels are."""
    words = []
    for curve in curves:
        finite = np.flatnonzero(np.isfinite(curve.drawn))
        first, last = finite[0], finite[-1]
        words.append(
            f"{curve.name}: from {number(float(curve.drawn[first]))} at {number(float(curve.x[first]))} "
            f"to {number(float(curve.drawn[last]))} at {number(float(curve.x[last]))}"
        )
        if curve.low is not None and curve.high is not None and math.isfinite(curve.low[last]):
            words[-1] += f" (interval {number(float(curve.low[last]))} to {number(float(curve.high[last]))})"
    words += [f"{name}: level at {number(y)}" for name, y in levels.items()]
    return "; ".join(words) + "."
