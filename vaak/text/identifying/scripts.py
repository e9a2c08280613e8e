"""How many letters of each script a text has, counted by table: the fast twin of `vaak.languages.script_of`."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from vaak.languages import SCRIPTS, script_of

OTHER = "other"  # letters of any script that is not in the table of languages: Arabic, Cyrillic, Han ...

_ASCII_LETTER = re.compile("[A-Za-z]")
_NAMES = (*SCRIPTS, OTHER)
_NOTHING = len(_NAMES)  # digits of no script, punctuation, spaces, dandas
PLANE = 0x10000  # what lies above the first plane is not told apart: emoji, rare signs


def script_counts(text: str) -> dict[str, int]:
    """Letters and signs of `text` by script, only those that occur; `OTHER` for all scripts outside the table.

    For the scripts of the table the counts are those behind `vaak.languages.script_of`. Never raises.
    """
    left = classes_of(text, _table()).translate(None, bytes([_NOTHING]))
    counts: dict[int, int] = {}
    while left:  # once for each script, which are few
        others = left.translate(None, left[:1])
        counts[left[0]] = len(left) - len(others)
        left = others
    return {_NAMES[number]: counts[number] for number in sorted(counts)}


def classes_of(text: str, table: np.ndarray) -> bytes:
    """What `table` (uint8 [0x10001], the last for all code points above the first plane) says of each character of `text`.

    Never raises.
    """
    if text.isascii():
        return text.encode("ascii").translate(table[:256].tobytes())
    return table.take(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), mode="clip").tobytes()


def script_shares(text: str) -> dict[str, float]:
    """Share of each script among the letters and signs of `text`, largest first; empty if it has none."""
    if text.isascii():
        return {"Latin": 1.0} if _ASCII_LETTER.search(text) else {}
    counts = script_counts(text)
    total = sum(counts.values())
    return {name: count / total for name, count in sorted(counts.items(), key=lambda item: -item[1])}


@cache
def _table() -> np.ndarray:
    """Number of the script of every code point of the first plane, and of those above, uint8 [0x10001]."""
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
