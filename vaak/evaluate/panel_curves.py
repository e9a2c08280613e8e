"""Curves over steps, a tab for each language, a table behind each curve."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup

from vaak.evaluate.panel_figures import EVERY, Curve, Figures
from vaak.evaluate.recognition import ALL_COUNTED, COUNTED, ERROR_NAMES, TRUST_ITEMS, TRUST_LIMITS, first_figure
from vaak.languages import LANGUAGES
from vaak.page import Cell, alarm, details, grid, line_chart, table, tabs
from vaak.page.axis import number

# Rows of the table behind a curve; of more checkpoints so many at even distances, the first and the last among them.
_ROWS = 400
_NAMES = {
    "wer": ("Word error rate", "errors per word"),
    "cer": ("Error rate of written units", "errors per unit"),
    "code_point_cer": ("Error rate of code points", "errors per code point"),
    "wrong_script": ("Heard in another script", "share of letters"),
    "stopped": ("Stopped by itself", "share of items"),
    "truncated": ("Cut off by the limit", "share of items"),
    "duration_ratio": ("Length beside the reference (median)", "ratio"),
    "loop_share": ("Codes in loops", "share of codes"),
    "repeat_rate": ("Repeated codes", "share of codes"),
    "ngram_repetition": ("Codes in 4-grams that were there before", "share of 4-grams"),
    "silence_share": ("Frames without speech", "share of frames"),
    "voice_share": ("Frames with a voice", "share of frames"),
    "dnsmos": ("DNSMOS", "1 to 5"),
    "utmos": ("UTMOS", "1 to 5"),
    "similarity": ("Voice similarity", "cosine"),
    "reward": ("Reward of an alignment", "0 to 1"),
    "held_out_wer": ("Word error rate, held-out recogniser", "errors per word"),
    "held_out_cer": ("Error rate of written units, held-out recogniser", "errors per unit"),
    "plcmos": ("PLCMOS", "1 to 5"),
    "f0_spread": ("Spread of the pitch", "semitones"),
    "speaking_rate": ("Speaking rate (median)", "units a second"),
    "copied": ("Codes copied from the recording", "share of codes"),
    "level_db": ("Level of the loud frames", "dB of full scale"),
    "crashed": ("Crashed", "share of items"),
    "invalid_rate": ("Ids that are no codes", "share of ids"),
}
UNDECIDED = "decides nothing: this recogniser is not trusted here"


def curve_parts(figures: Figures) -> list[Markup | str]:
    """A tab for all languages together and one for each, every metric a chart with its interval and its table."""
    if not figures.evaluations:
        return [alarm("note", "no checkpoint has been evaluated yet")]
    panels = {"All languages": _panel(figures, EVERY)}
    for code in LANGUAGES:
        if code in figures.languages:
            panels[LANGUAGES[code].name] = _panel(figures, code)
    return [
        "Every checkpoint is compared on the same items: those that all of them have, so a quick and a full evaluation "
        "compare on the quick one's. Shaded: 95% interval, a bootstrap over items; one item has none, and one of no width "
        "says that its items agree, not that the figure is certain. Dashed: what no model said, on the same items.",
        tabs(panels, "languages of the curves"),
    ]


def _panel(figures: Figures, language: str) -> Markup:
    parts: list[Markup] = []
    curves = [curve for metric in figures.metrics if (curve := figures.curve(metric, language)) is not None]
    if all(curve.metric not in COUNTED for curve in curves):
        where = "in any of these languages" if language == EVERY else f"in {LANGUAGES[language].name}"
        parts.append(alarm("note", f"no trusted recogniser {where}: there is no word error rate"))
    if any(not curve.trusted for curve in curves):
        parts.append(
            alarm(
                "warning",
                f"the error rates here, in grey, are of a recogniser that is not trusted, and decide nothing (it is trusted "
                f"at most at {_limit(language)}, on the original recordings of at least {TRUST_ITEMS} items)",
            )
        )
    return Markup("\n").join([*parts, grid(*(_chart(curve) for curve in curves), min_width_rem=26)])


def _limit(language: str) -> str:
    metric = first_figure(language)
    return f"{TRUST_LIMITS[metric]} {ERROR_NAMES[metric]}"


def title_of(curve: Curve) -> str:
    """The metric in words, with whatever has to stand beside its numbers: how many items, a proxy, no trust."""
    count = len(curve.items)
    words = f"{_NAMES.get(curve.metric, (curve.metric, ''))[0]}, {count} item{'s' if count > 1 else ''}"
    if curve.metric in ALL_COUNTED and curve.language == EVERY:
        words += " in languages with a trusted recogniser"
    if curve.proxies:
        of = "" if curve.proxies == count else f" for {curve.proxies} of them"
        words += f"; proxy{of}: decoded codes in place of a recording"
    return words if curve.trusted else f"{words}; {UNDECIDED}"


def _chart(curve: Curve) -> Markup:
    chart = line_chart(
        {"checkpoints": (curve.steps, curve.values)},
        title_of(curve),
        "step",
        _NAMES.get(curve.metric, ("", ""))[1],
        bands={"checkpoints": (curve.low, curve.high)},
        levels=curve.references,
        undecided=not curve.trusted,
        width=460,
    )
    body = chart + details("The figures of this curve", *_table(curve))
    return Markup("<div{}>{}</div>").format(Markup("") if curve.trusted else Markup(' class="undecided"'), body)


def _table(curve: Curve) -> list[Markup | str]:
    count = len(curve.steps)
    places = np.unique(np.linspace(0, count - 1, min(count, _ROWS)).astype(int))
    rows = []
    for at in places:
        low, high = float(curve.low[at]), float(curve.high[at])
        interval = "one item: none" if math.isnan(low) else f"{_short(low)} – {_short(high)}"
        rows.append((int(curve.steps[at]), _cell(float(curve.values[at])), interval))
    rows += [(name, _cell(value), "–") for name, value in curve.references.items()]
    said: list[Markup | str] = []
    if len(places) < count:
        said.append(f"{len(places)} of {count} checkpoints, at even distances.")
    return [*said, table(rows, ["step", "value", "95% interval"], caption=title_of(curve))]


def _cell(value: float) -> Cell:
    return Cell(round(value, 4), _short(value))


def _short(value: float) -> str:
    return number(round(value, 4))
