"""Whisper models in CTranslate2's format, through faster-whisper."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score.asr import RATE, at_rate, windows
from vaak.score.likelihood import LEAST
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share
from vaak.storage.files import sha256_file

_WINDOW_S = 28
_LONGEST_S = 30


class WhisperAsr:
    """Whisper through CTranslate2: int8 weights, beam search, the language given, no timestamps.

    A window of features is as long as the clip needs (10, 20 or 30 s) where Whisper's own practice pads all of them to
    30 s. Measured on 26 English items of an early codec's round trip, seconds of one core per clip of three seconds:
    10 s and beam 1: WER .41, 0.47 s; 30 s and beam 1: .46, 2.06 s; 10 s and beam 5: .31, 0.48 s. On the originals
    10 s and beam 1 give .03. A greedy recogniser loses itself in unclear speech, so the beam is 5.
    The number of text tokens is bounded by the length of the clip, so that a repetition loop in the recogniser costs a
    bounded number of insertions.
    """

    def __init__(self, folder: Path, *, name: str, threads: int = 1, beam: int = 5):
        try:
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
        except ImportError as error:
            raise BadInput(f"{folder} needs faster-whisper; `pip install vaak[asr]`") from error
        # CTranslate2 sets the OpenMP threads of the thread that opens a model to its own number, here one, and a trainer
        # in the same process would go on at half its speed: a thread of its own takes that setting with it.
        with ThreadPoolExecutor(1) as opener:
            self._model = opener.submit(
                WhisperModel,
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=1,
                num_workers=threads,
                local_files_only=True,
            ).result()
        self._tokenizer_class = Tokenizer
        self._beam = beam
        self.name = f"{name}-int8-beam{beam}"
        self.hash = sha256_file(folder / "model.bin")
        self.languages = self.scored = self._offered_languages()

    def _offered_languages(self) -> frozenset[str]:
        from vaak.languages import LANGUAGES

        if not self._model.model.is_multilingual:
            return frozenset({"en"})
        tokens = self._model.hf_tokenizer
        return frozenset(code for code in LANGUAGES if tokens.token_to_id(f"<|{code}|>") is not None)

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        code = self._offered(language)
        wave = at_rate(wave, rate)
        if speech_share(wave, RATE) < MIN_SPEECH_SHARE:  # Whisper answers silence with "you" or "Thank you"
            return ""
        return " ".join(filter(None, (self._window(piece, code) for piece in windows(wave, RATE, _WINDOW_S))))

    def likelihood(self, wave: np.ndarray, rate: int, language: str, text: str) -> float:
        """See `vaak.score.likelihood`. By the decoder's own alignment, which normalises over the tokens of text alone.

        The text is written as in a book; each token has the ones before it and the whole wave. Raises `BadInput` for another
        language, for a wave beyond the 30 s that Whisper hears at once, and for a text without a token.
        """
        code = self._offered(language)
        wave = at_rate(wave, rate)
        if len(wave) > _LONGEST_S * RATE:
            raise BadInput(
                f"{len(wave) / RATE:.1f} s are longer than the {_LONGEST_S} s that {self.name} hears at once; cut it"
            )
        tokenizer = self._tokenizer(code)
        tokens = tokenizer.encode(" " + text.strip()) if text.strip() else []
        if not tokens:
            raise BadInput("the text is empty, so nothing has a likelihood; give at least one word")
        encoded, frames = self._encoded(wave)
        (aligned,) = self._model.model.align(encoded, list(tokenizer.sot_sequence), [tokens], frames)
        probabilities = np.asarray(aligned.text_token_probs, np.float64)
        return float(np.log(np.maximum(probabilities, np.exp(LEAST))).mean())

    def _offered(self, language: str) -> str:
        code = language_of(language)
        if code not in self.languages:
            raise BadInput(f"{self.name} has no {code}; it offers {', '.join(sorted(self.languages))}")
        return code

    def _window(self, wave: np.ndarray, code: str) -> str:
        tokenizer = self._tokenizer(code)
        encoded, _ = self._encoded(wave)
        result = self._model.model.generate(
            encoded,
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]],
            beam_size=self._beam,
            sampling_temperature=0,
            max_length=min(440, 24 + int(12 * len(wave) / RATE)),
        )
        return tokenizer.decode(result[0].sequences_ids[0]).strip()

    def _tokenizer(self, code: str):
        multilingual = self._model.model.is_multilingual
        return self._tokenizer_class(
            self._model.hf_tokenizer, multilingual, task="transcribe" if multilingual else None, language=code
        )

    def _encoded(self, wave: np.ndarray):
        """The encoder's states of `wave` (float32[T], at most 30 s) and the 10 ms frames that it heard, padding included."""
        import ctranslate2

        seconds = len(wave) / RATE
        frames = next(size for size in (1000, 2000, 3000) if seconds + 1 <= size / 100 or size == 3000)
        # Padding stands in the wave, before the features, so that the quiet frames look like recorded quiet.
        padded = np.pad(wave, (0, frames * 160 - len(wave)))
        features = self._model.feature_extractor(padded)[:, :frames]
        return self._model.model.encode(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None]))
        ), frames
