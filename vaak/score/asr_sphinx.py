"""CMU PocketSphinx, whose wheel carries its own US English model."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score.asr import RATE, at_rate
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share
from vaak.storage.files import sha256_file

_LANGUAGES = frozenset({"en"})


class PocketsphinxAsr:
    """CMU PocketSphinx with the US English model that its wheel carries: weak, small, and always there."""

    languages = _LANGUAGES

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise BadInput("pocketsphinx is not installed; `pip install vaak[asr]`") from error
        self._decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")
        self._turn = threading.Lock()  # one decoder, one utterance at a time
        model = Path(pocketsphinx.get_model_path("en-us"))
        self.name = "pocketsphinx-en-us"
        self.hash = sha256_file(model / "en-us.lm.bin")

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        if language_of(language) not in self.languages:
            raise BadInput(f"{self.name} knows English only, not {language}")
        wave = at_rate(wave, rate)
        if speech_share(wave, RATE) < MIN_SPEECH_SHARE:
            return ""
        with self._turn:
            # A fresh utterance adapts nothing from the one before: the cepstral mean is set back by start_stream.
            self._decoder.start_stream()
            self._decoder.start_utt()
            self._decoder.process_raw((wave * 32767).astype(np.int16).tobytes(), full_utt=True)
            self._decoder.end_utt()
            hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis is not None else ""
