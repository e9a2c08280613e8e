"""Several recognisers as one: each language by the first of them that offers it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score.asr import Asr


class SeveralAsr:
    """English by a Whisper and the Indic languages by an IndicConformer, say. Named and hashed by all of them together."""

    def __init__(self, recognisers: Sequence[Asr]) -> None:
        self._of = {code: one for one in reversed(recognisers) for code in one.languages}
        self.name = "|".join(one.name for one in recognisers)
        self.hash = hashlib.sha256("\n".join(one.hash for one in recognisers).encode()).hexdigest()
        self.languages = frozenset(self._of)

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        code = language_of(language)
        if code not in self._of:
            raise BadInput(f"{self.name} have no {code}; they offer {', '.join(sorted(self.languages))}")
        return self._of[code].transcribe(wave, rate, language)
