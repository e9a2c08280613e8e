"""Tables of pipes or tabs. A table whose cells are prose (a page laid out in columns, a dialogue) stays."""

from __future__ import annotations

import re

_SENTENCE_ENDS = (".", "?", "!", "।", "॥", "…", '"', "”")
_LABEL_ENDS = (":", ".", ")", "-", "–", "—", "•", "*", "।")
_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(?:[|+]\s*:?-{2,}:?\s*)*[|+]?|\+(?:[-=]{2,}\+)+")


def is_prose(cells: list[str]) -> bool:
    """Whether at least half of the text of `cells` is in cells that read as sentences (from 8 words, or 15)."""
    total = prose = 0
    for cell in cells:
        words = len(cell.split())
        total += words
        if words >= 15 or (words >= 8 and cell.rstrip().endswith(_SENTENCE_ENDS)):
            prose += words
    return total > 0 and 2 * prose >= total


def without_tables(text: str) -> str:
    """`text` without runs of lines that are rows of one table: equally many pipes or tabs, cells that are no prose;
    or a rule is drawn among them, whatever the cells hold.

    A pipe that ends a sentence, as typed for a danda, makes no row.
    """
    if "|" not in text and "\t" not in text and ("+" not in text or "+--" not in text):
        return text
    lines = text.split("\n")
    kept: list[str] = []
    run: list[list[str]] = []
    start = 0
    for i, line in enumerate([*lines, ""]):
        cells = _cells(line) if "|" in line or "\t" in line or line.startswith("+--") else None
        if cells is not None:
            if not run:
                start = i
            run.append(cells)
            continue
        if run and not _is_table(run):
            kept += lines[start:i]
        run = []
        kept.append(line)
    return "\n".join(kept[:-1])


def _cells(line: str) -> list[str] | None:
    """The cells of a line that could be a row (an empty list for the rule below a heading), None if it is none."""
    if "|" not in line:
        if "\t" in (row := line.strip()):
            return re.split(r"\t+", row)
        return [] if line.startswith("+--") and _RULE.fullmatch(line.rstrip()) else None
    row = line.strip()
    if _RULE.fullmatch(row):
        return []
    closed = row.endswith(("|", "।", "॥"))
    if closed and not row.startswith("|"):
        return None  # a verse or sentence that ends in a typed danda
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    return cells if any(cells) and (len(cells) > 1 or closed) else None


def _is_table(run: list[list[str]]) -> bool:
    rows = [cells for cells in run if cells]
    if len(rows) < len(run) and any(len(cells) > 1 for cells in rows):
        return True  # nobody draws a rule below a sentence
    widths = {len(cells) for cells in rows}
    if len(rows) < 2 or max(widths) < 2 or len(widths) > 2:
        return False
    if max(widths) == 2 and (len(rows) < 3 or all(cells[0].endswith(_LABEL_ENDS) for cells in rows)):
        return False  # a speaker's name, or the number of an item, before each line
    return not is_prose([cell for cells in rows for cell in cells])
