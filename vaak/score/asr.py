"""Speech recognisers behind one protocol, without a network: faster-whisper, and pocketsphinx which always works.

A recogniser is a measuring instrument: deterministic (temperature 0 and no second try at another one, no text carried
from window to window), named and hashed, so that every figure says what measured it. Which languages its figures may
be believed for is measured by `vaak.evaluate.reference`, never assumed.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score import weights
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share
from vaak.storage.files import sha256_file

RATE = 16000
_WINDOW_S = 28
_SPHINX_LANGUAGES = frozenset({"en"})


class Asr(Protocol):
    """A recogniser: `name`, `hash` of its weights, and the languages that its makers offer it for."""

    name: str
    hash: str
    languages: frozenset[str]

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        """Text of `wave` (float32[T] in [-1, 1], `rate` Hz) in `language`; "" for silence; BadInput for another language."""
        ...


def open_asr(path: str | Path | None = None, *, threads: int = 1) -> Asr:
    """The recogniser in folder `path`, in `VAAK_ASR`, in an installed package, or pocketsphinx: the first that exists.

    `path` may also be "pocketsphinx". `threads` is how many callers may transcribe at once, each on one core. Raises `BadInput` when a named folder holds no CTranslate2 Whisper model, or
    when there is no recogniser at all.
    """
    named = str(path or os.environ.get("VAAK_ASR") or "")
    if named == "pocketsphinx":
        return PocketsphinxAsr()
    if named:
        folder = Path(named)
        if not (folder / "model.bin").is_file() or not (folder / "tokenizer.json").is_file():
            raise BadInput(
                f"{folder} holds no Whisper model for CTranslate2 (model.bin and tokenizer.json); name another folder"
            )
        return WhisperAsr(folder, name=folder.name, threads=threads)
    if _installed("faster_whisper"):
        folder = weights.packaged_whisper()
        if folder is not None:
            return WhisperAsr(folder, name=weights.PACKAGED_NAME, threads=threads)
    if _installed("pocketsphinx"):
        return PocketsphinxAsr()
    raise BadInput("no recogniser is installed; `pip install vaak[asr]`, or name a Whisper folder in VAAK_ASR")


def _installed(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def at_rate(wave: np.ndarray, rate: int, wanted: int = RATE) -> np.ndarray:
    """`wave` as contiguous float32 at `wanted` Hz, not-a-number as 0, cut to [-1, 1]."""
    wave = np.nan_to_num(np.asarray(wave, dtype=np.float32).reshape(-1))
    if rate != wanted and len(wave):
        import soxr

        wave = soxr.resample(wave, rate, wanted).astype(np.float32)
    return np.ascontiguousarray(np.clip(wave, -1.0, 1.0))


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
        self.languages = self._offered_languages()

    def _offered_languages(self) -> frozenset[str]:
        from vaak.languages import LANGUAGES

        if not self._model.model.is_multilingual:
            return frozenset({"en"})
        tokens = self._model.hf_tokenizer
        return frozenset(code for code in LANGUAGES if tokens.token_to_id(f"<|{code}|>") is not None)

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        code = language_of(language)
        if code not in self.languages:
            raise BadInput(f"{self.name} has no {code}; it offers {', '.join(sorted(self.languages))}")
        wave = at_rate(wave, rate)
        if speech_share(wave, RATE) < MIN_SPEECH_SHARE:  # Whisper answers silence with "you" or "Thank you"
            return ""
        return " ".join(filter(None, (self._window(piece, code) for piece in windows(wave, RATE, _WINDOW_S))))

    def _window(self, wave: np.ndarray, code: str) -> str:
        import ctranslate2

        multilingual = self._model.model.is_multilingual
        tokenizer = self._tokenizer_class(
            self._model.hf_tokenizer, multilingual, task="transcribe" if multilingual else None, language=code
        )
        seconds = len(wave) / RATE
        frames = next(size for size in (1000, 2000, 3000) if seconds + 1 <= size / 100 or size == 3000)
        # Padding stands in the wave, before the features, so that the quiet frames look like recorded quiet.
        padded = np.pad(wave, (0, frames * 160 - len(wave)))
        features = self._model.feature_extractor(padded)[:, :frames]
        encoded = self._model.model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None])))
        result = self._model.model.generate(
            encoded,
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]],
            beam_size=self._beam,
            sampling_temperature=0,
            max_length=min(440, 24 + int(12 * seconds)),
        )
        return tokenizer.decode(result[0].sequences_ids[0]).strip()


class PocketsphinxAsr:
    """CMU PocketSphinx with the US English model that its wheel carries: weak, small, and always there."""

    languages = _SPHINX_LANGUAGES

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


def windows(wave: np.ndarray, rate: int, seconds: float) -> list[np.ndarray]:
    """Consecutive pieces of `wave` of at most `seconds`, each cut at the quietest tenth of a second of its last quarter."""
    limit, frame = int(seconds * rate), rate // 10
    pieces = []
    while len(wave) > limit:
        start = int(limit * 0.75)
        frames = wave[start : start + (limit - start) // frame * frame].reshape(-1, frame)
        cut = start + int(np.argmin((frames**2).sum(1))) * frame + frame // 2
        pieces.append(wave[:cut])
        wave = wave[cut:]
    return [*pieces, wave]
