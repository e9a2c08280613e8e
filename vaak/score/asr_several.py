"""Several recognisers as one: each language by the first of them that offers it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score.asr import Asr
from vaak.score.likelihood import scored_languages


class SeveralAsr:
    """English by a Whisper and the Indic languages by an IndicConformer, say. Named and hashed by all of them together."""

    def __init__(self, recognisers: Sequence[Asr]) -> None:
        self._of = {code: one for one in reversed(recognisers) for code in one.languages}
        self.name = "|".join(one.name for one in recognisers)
        self.hash = hashlib.sha256("\n".join(one.hash for one in recognisers).encode()).hexdigest()
        self.languages = frozenset(self._of)
        self.scored = frozenset(code for code, one in self._of.items() if code in scored_languages(one))

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        code = language_of(language)
        if code not in self._of:
            raise BadInput(f"{self.name} have no {code}; they offer {', '.join(sorted(self.languages))}")
        return self._of[code].transcribe(wave, rate, language)

    def likelihood(self, wave: np.ndarray, rate: int, language: str, text: str) -> float:
        """See `vaak.score.likelihood`: by the same recogniser that hears the language. Raises `BadInput` where that gives none."""
        code = language_of(language)
        if code not in self.scored:
            raise BadInput(
                f"{self.name} gives no likelihood in {code}, only in {', '.join(sorted(self.scored)) or 'none'}"
            )
        return self._of[code].likelihood(wave, rate, language, text)  # pyright: ignore[reportAttributeAccessIssue]
