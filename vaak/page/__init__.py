"""Self-contained HTML: one file with its text, styles, curves, pictures and sound, that opens anywhere, offline."""

from vaak.page.bars import Bins, bar_chart, bins_of, histogram
from vaak.page.document import Page
from vaak.page.lines import line_chart
from vaak.page.parts import KeyFigure, alarm, details, grid, in_language, key_figures, paragraph, tabs
from vaak.page.sound import player, sound, spectrogram
from vaak.page.table import Cell, table

__all__ = [
    "Bins",
    "Cell",
    "KeyFigure",
    "Page",
    "alarm",
    "bar_chart",
    "bins_of",
    "details",
    "grid",
    "histogram",
    "in_language",
    "key_figures",
    "line_chart",
    "paragraph",
    "player",
    "sound",
    "spectrogram",
    "table",
    "tabs",
]
