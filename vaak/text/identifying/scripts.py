"""How many letters of each script a text has, counted by table: the fast twin of `vaak.languages.script_of`."""

from __future__ import annotations

from functools import cache

import numpy as np

from vaak.languages import SCRIPTS, script_of

OTHER = "other"  # letters of any script that is not in the table of languages: Arabic, Cyrillic, Han ...

_NAMES = (*SCRIPTS, OTHER)
_NOTHING = len(_NAMES)  # digits of no script, punctuation, spaces, dandas
PLANE = 0x10000  # what lies above the first plane is not told apart: emoji, rare signs


def script_counts(text: str) -> dict[str, int]:
    """Letters and signs of `text` by script, only those that occur; `OTHER` for all scripts outside the table.

    For the scripts of the table the counts are those behind `vaak.languages.script_of`. Never raises.
    """
    counts = np.bincount(_table()[code_points(text)], minlength=_NOTHING + 1)
    return {name: int(count) for name, count in zip(_NAMES, counts[:_NOTHING], strict=True) if count}


def code_points(text: str) -> np.ndarray:
    """Code points of `text`, one each, unsigned; those above the first plane are all 0x10000. Never raises."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.minimum(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), PLANE)


def script_shares(text: str) -> dict[str, float]:
    """Share of each script among the letters and signs of `text`, largest first; empty if it has none."""
    counts = script_counts(text)
    total = sum(counts.values())
    return {name: count / total for name, count in sorted(counts.items(), key=lambda item: -item[1])}


@cache
def _table() -> np.ndarray:
    """Number of the script of every code point of the first plane and one more, uint8 [0x10001]."""
    table = np.full(PLANE + 1, _NOTHING, np.uint8)
    for point in range(PLANE):
        if 0x1E00 <= point < 0x1F00:
            continue  # Latin letters with marks (Vietnamese, scholarly transliteration): of no other script
        if chr(point).isalpha():
            table[point] = _NAMES.index(OTHER)
    for first, last in SCRIPTS.values():
        for point in range(first, last + 1):
            script = next(iter(script_of(chr(point))), None)
            table[point] = _NOTHING if script is None else _NAMES.index(script)
    return table
