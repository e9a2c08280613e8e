"""Small parts of a page: paragraphs, key figures, alarms, tabs, folded details, grids. Strings are escaped, `Markup` is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

_ALARM_WORDS = {"error": "Failed", "warning": "Warning", "note": "Note", "good": "Holds"}


@dataclass(frozen=True)
class KeyFigure:
    """One number worth a large type. `good` says whether it meets what is wanted; None: it is not judged."""

    name: str
    value: str
    note: str = ""
    good: bool | None = None


def paragraph(text: str) -> Markup:
    return Markup("<p>{}</p>").format(text)


def in_language(text: str, language: str) -> Markup:
    """Text marked with its language code, so that screen readers and font choice follow it."""
    return Markup('<span lang="{}">{}</span>').format(language, text)


def key_figures(figures: Iterable[KeyFigure]) -> Markup:
    """A row of large numbers with their names; a judged one says in words whether it holds."""
    cards = []
    for figure in figures:
        state, verdict = {None: ("", ""), True: ("good", "✓ holds"), False: ("bad", "✗ does not hold")}[figure.good]
        card = Markup('<div class="{}"><dt>{}</dt><dd class="value">{}</dd>').format(state, figure.name, figure.value)
        if verdict:
            card += Markup('<dd class="verdict">{}</dd>').format(verdict)
        if figure.note:
            card += Markup('<dd class="aside">{}</dd>').format(figure.note)
        cards.append(card + Markup("</div>"))
    return Markup('<dl class="figures">{}</dl>').format(Markup("\n").join(cards))


def alarm(level: Literal["error", "warning", "note", "good"], text: str, word: str = "") -> Markup:
    """A coloured line that also says in words what its colour means; `word` in place of the level's own."""
    return Markup('<p class="alarm {}" role="note"><strong>{}:</strong> {}</p>').format(
        level, word or _ALARM_WORDS[level], text
    )


def details(summary: str, *parts: str, open: bool = False) -> Markup:
    """Parts folded under a line that opens them."""
    start = Markup("<details open>") if open else Markup("<details>")
    return start + Markup("<summary>{}</summary>{}</details>").format(summary, _joined(parts))


def tabs(panels: Mapping[str, str], label: str) -> Markup:
    """One panel of many at a time, chosen by mouse or arrow keys; all below each other where scripts do not run, and in print."""
    sections = (Markup("<section><h3>{}</h3>{}</section>").format(name, body) for name, body in panels.items())
    return Markup('<div class="tabs" data-label="{}">{}</div>').format(label, Markup("").join(sections))


def grid(*parts: str, min_width_rem: float = 18) -> Markup:
    """Parts beside each other, each at least that wide, as many columns as fit."""
    style = f"grid-template-columns:repeat(auto-fill,minmax(min(100%,{min_width_rem:g}rem),1fr))"
    return Markup('<div class="grid" style="{}">{}</div>').format(style, _joined(parts))


def _joined(parts: Iterable[str]) -> Markup:
    return Markup("\n").join(part if isinstance(part, Markup) else paragraph(part) for part in parts)
