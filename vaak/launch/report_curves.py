"""Curves of runs on a page, of one or of several stages one after another: what the page of a launch and that of a run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from vaak.languages import LANGUAGES
from vaak.page import Cell, alarm, line_chart, table
from vaak.page.axis import number
from vaak.track.curves import Curve, Curves

# Intervals of more curves would lie over each other.
_MOST_BANDS = 3
_Drawn = dict[str, tuple[np.ndarray, np.ndarray]]
LANGUAGE_NAMES = {code: language.name for code, language in LANGUAGES.items()}


@dataclass(frozen=True)
class Stretch:
    """A run on an axis: where it begins there, and how much of the axis a step takes."""

    curves: Curves
    begins: float = 0.0
    per_step: float = 1.0

    def places(self, steps: np.ndarray) -> np.ndarray:
        return self.begins + self.per_step * steps


def chart(
    stretches: Sequence[Stretch],
    names: Mapping[str, str],
    title: str,
    xlabel: str = "step",
    ylabel: str = "",
    *,
    smooth: int = 1,
    log_y: bool = False,
    marks: Mapping[str, float] | None = None,
    width: int = 760,
) -> Markup:
    """The curves of some metrics, name -> what it is called here, over all stretches; "" where no row has any of them.

    Of a run that is too long to draw every step the means of parts are drawn, with the lowest and highest value of each part
    shaded around up to three curves; what lies far outside of all means is said below. What was not finite is a gap, and a
    sentence says how often and where.
    """
    series: _Drawn = {}
    bands: _Drawn = {}
    exact, said = True, []
    for name, label in names.items():
        found = [(one, one.curves.curve(name)) for one in stretches if name in one.curves]
        if not found:
            continue
        x, y, low, high = (np.concatenate(parts) for parts in zip(*(_drawn(*one) for one in found), strict=True))
        series[label], bands[label] = (x, y), (low, high)
        exact = exact and all(curve.exact for _, curve in found)
        said += [alarm("warning", _broken_words(label, curve)) for _, curve in found if curve.broken]
    if not series:
        return Markup("")
    if exact or len(series) > _MOST_BANDS:
        bands = {}
    else:
        title += " (mean, lowest and highest of each part)"
        if not log_y:
            bands, beyond = _within_reach(series, bands, xlabel)
            said = [*beyond, *said]
    drawn = line_chart(
        series, title, xlabel, ylabel, smooth=smooth if exact else 1, log_y=log_y, marks=marks, bands=bands, width=width
    )
    return Markup("<div>{}{}</div>").format(drawn, Markup("").join(said)) if said else drawn


def _within_reach(series: _Drawn, bands: _Drawn, xlabel: str) -> tuple[_Drawn, list[Markup]]:
    """Bands that end where they would make the means a flat line, and a sentence of what lies beyond."""
    means = np.concatenate([y for _, y in series.values()])
    low, high = float(np.nanmin(means, initial=np.inf)), float(np.nanmax(means, initial=-np.inf))
    room = (high - low) or abs(high) or 1.0
    found: _Drawn = {}
    said = []
    for label, (lows, highs) in bands.items():
        for edge, beyond, word in ((highs, highs > high + room, "highest"), (lows, lows < low - room, "lowest")):
            if beyond.any():
                at = int(np.nanargmax(edge) if word == "highest" else np.nanargmin(edge))
                where = f"{word} {number(float(edge[at]))} near {xlabel} {number(round(float(series[label][0][at])))}"
                said.append(alarm("note", f"{label}: {where}, outside of the picture"))
        found[label] = (np.maximum(lows, low - room), np.minimum(highs, high + room))
    return found, said


def _drawn(stretch: Stretch, curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return stretch.places(curve.steps), curve.mean, curve.low, curve.high


def _broken_words(label: str, curve: Curve) -> str:
    steps = ", ".join(f"{step:,}" for step in curve.broken_at)
    more = " and more" if curve.broken > len(curve.broken_at) else ""
    return f"{label}: not finite in {curve.broken:,} step{'s' if curve.broken > 1 else ''} ({steps}{more})"


def family(curves: Curves | Sequence[Curves], prefix: str, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names in the rows that begin with `prefix` and end in one part more, and what each is called: by `names`, else that part."""
    several = [curves] if isinstance(curves, Curves) else curves
    found = sorted({name for one in several for name in one.names(prefix)})
    ends = {name: name[len(prefix) :] for name in found}
    return {name: (names or {}).get(end, end) for name, end in ends.items()}


def extremes_table(curves: Curves, names: Mapping[str, str], caption: str) -> Markup:
    """First, last, lowest and highest value of each metric, and how many values it has: a spike of one step stands here."""
    rows = []
    for name, label in names.items():
        if name not in curves:
            continue
        curve = curves.curve(name)
        finite = np.isfinite(curve.mean)
        if not finite.any():
            rows.append((label, *(None,) * 6, curve.broken))
            continue
        at_low, at_high = int(np.nanargmin(curve.low)), int(np.nanargmax(curve.high))
        ends = [_cell(curves.first[name]), _cell(curves.last[name])]
        low, high = _cell(float(curve.low[at_low])), _cell(float(curve.high[at_high]))
        near = [round(float(curve.steps[at])) for at in (at_low, at_high)]
        rows.append((label, *ends, low, near[0], high, near[1], curve.broken))
    columns = ["", "first", "last", "lowest", "near step", "highest", "near step ", "not finite"]
    return table(rows, columns, caption=caption)


def _cell(value: float) -> Cell | str:
    return Cell(value, number(float(value))) if np.isfinite(value) else "not finite"
