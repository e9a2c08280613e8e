"""One examined sample, as the checks see it: its fields, its tokens, and what is written of it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vaak.corpus import Sample
from vaak.languages import script_of


class _ScriptOfCharacter(dict[str, str]):
    """The script of each character that was asked for, "" for none: texts are long, and have few different ones."""

    def __missing__(self, char: str) -> str:
        self[char] = next(iter(script_of(char)), "")
        return self[char]


_SCRIPT = _ScriptOfCharacter()


@dataclass(frozen=True)
class Item:
    """One sample with its tokens: uint16 codes (raw, paired) or uint32 text ids (text).

    `text` is the transcript, or the text document decoded; empty where there is neither.
    """

    stream: str
    sample: Sample
    tokens: np.ndarray
    text: str = ""

    @property
    def is_audio(self) -> bool:
        return self.stream != "text"

    @cached_property
    def scripts(self) -> dict[str, float]:
        """What `vaak.languages.script_of` says of `text`; several checks ask for it."""
        counts = Counter(map(_SCRIPT.__getitem__, self.text))
        del counts[""]
        total = sum(counts.values())
        return {script: count / total for script, count in counts.items()}

    @property
    def stated_seconds(self) -> float | None:
        """The duration that the fields give: the sample's own, else that of its place in the source; None if unknown."""
        sample = self.sample
        if sample.duration_s is not None:
            return sample.duration_s
        if sample.start_ms is not None and sample.end_ms is not None:
            return (sample.end_ms - sample.start_ms) / 1000
        return None

    @property
    def characters(self) -> int:
        """Characters of `text` without white space."""
        return sum(map(len, self.text.split()))


def has_words(text: str) -> bool:
    """Whether a letter or a digit is in it."""
    return any(unicodedata.category(char)[0] in "LN" for char in text)
