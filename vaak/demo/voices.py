"""The synthetic voices of the example: who speaks which language, and how a text becomes a wave.

Five engines speak the example: hibari, Piper and Kokoro (neural English), flite (statistical English) and espeak-ng
(formants; all eleven Indic languages). The codec hears more voices (`vaak.demo.codec_voices`). Engines are needed only to
make the corpus again: what ships are codes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from vaak.demo import engines
from vaak.errors import BadInput
from vaak.languages import LANGUAGES, script_of

RATE = 16000  # Hz, of every wave that leaves this module
# Silence at the ends: frames of 10 ms more than 40 dB below the loudest one go, 80 ms of them stay.
TRIM = {"frame_ms": 10, "below_loudest_db": 40.0, "keep_ms": 80}
LEVEL_DB = -23.0  # RMS over the trimmed wave, dB full scale


@dataclass(frozen=True)
class Voice:
    """One speaker in one language; `name` is the speaker, who may speak several languages."""

    name: str
    engine: str
    language: str
    variant: str
    voice_description: str
    held_out: bool = False


@dataclass(frozen=True)
class Speech:
    """A wave (float32[T], 16 kHz) and where it lay in the engine's own output, in milliseconds."""

    wave: np.ndarray
    start_ms: int
    end_ms: int


_ENGLISH = (
    Voice("heart", "hibari", "en", "heart", "Clara, a woman"),
    Voice("slt", "flite", "en", "slt", "Susan, a woman"),
    Voice("rms", "flite", "en", "rms", "Robert, a man"),
    Voice("joe", "piper", "en", "joe", "Joe, a man"),
    Voice("af_bella", "kokoro", "en", "af_bella", "Bella, a woman"),
    Voice("am_michael", "kokoro", "en", "am_michael", "Michael, a man"),
    Voice("awb", "flite", "en", "awb", "Alan, a man", held_out=True),
    Voice("bf_emma", "kokoro", "en", "bf_emma", "Emma, a woman", held_out=True),
)
# espeak-ng variants that resemblyzer tells apart; a speaker keeps the variant in every language.
_ASHA, _RAVI, _MEERA, _KIRAN = ("Annie", "m3", "steph3", "adam")
_THREE_VOICES = ("hi", "bn", "ta", "mr")


def _indic(language: str) -> list[Voice]:
    code = LANGUAGES[language].espeak
    voices = [
        Voice("asha", "espeak", language, f"{code}+{_ASHA}", "Asha, a woman"),
        Voice("ravi", "espeak", language, f"{code}+{_RAVI}", "Ravi, a man"),
    ]
    if language in _THREE_VOICES:
        voices.append(Voice("meera", "espeak", language, f"{code}+{_MEERA}", "Meera, a woman"))
    if language == "hi":
        voices.append(Voice("kiran", "espeak", language, f"{code}+{_KIRAN}", "Kiran, a man", held_out=True))
    return voices


VOICES: tuple[Voice, ...] = _ENGLISH + tuple(
    voice for language in LANGUAGES if language != "en" for voice in _indic(language)
)


def best_description(text: str) -> str:
    """Whom a model of the example is asked to speak as when nobody is named: the voice with most of its training.

    Clara where most letters are Latin or there are none, so romanised texts too; Asha, who speaks all eleven Indic
    languages, otherwise.
    """
    scripts = script_of(text)
    name = "heart" if scripts.get("Latin", 0.0) >= 0.5 or not scripts else "asha"
    return next(voice.voice_description for voice in VOICES if voice.name == name)


def synthesise(voice: Voice, text: str, speed: float = 1.0) -> np.ndarray:
    """`text` spoken by `voice`: float32[T] at 16 kHz, silence trimmed to about 80 ms, RMS -23 dB; same input, same wave.

    `speed` 1.1 speaks ten per cent faster. Raises `BadInput` if the engine is not installed or says nothing.
    """
    return speech(voice, text, speed).wave


def speech(voice: Voice, text: str, speed: float = 1.0) -> Speech:
    """As `synthesise`, with the place of the wave in the engine's own output."""
    wave, rate = engines.engine_wave(voice.engine, voice.variant, voice.language, text, speed)
    wave = resampled(wave, rate)
    start, end = _loud_part(wave)
    if end <= start:
        raise BadInput(f"{voice.engine} voice {voice.variant!r} says nothing for {text[:60]!r}: change that text")
    return Speech(_levelled(wave[start:end]), start * 1000 // RATE, end * 1000 // RATE)


def resampled(wave: np.ndarray, rate: int) -> np.ndarray:
    """float32[T] at 16 kHz of a wave at `rate` Hz."""
    if rate == RATE:
        return wave
    import soxr

    return soxr.resample(wave, rate, RATE, quality="HQ")


def trimmed(wave: np.ndarray) -> np.ndarray:
    """What `synthesise` does to a wave at 16 kHz: silence at the ends gone, RMS -23 dB. Empty if nothing is heard."""
    start, end = _loud_part(wave)
    return _levelled(wave[start:end]) if end > start else np.zeros(0, np.float32)


@functools.cache
def engine_version(engine: str) -> str:
    """Name and version of an engine as installed, for `source_id` and the provenance file."""
    return engines.engine_version(engine)


def _loud_part(wave: np.ndarray) -> tuple[int, int]:
    frame = RATE * int(TRIM["frame_ms"]) // 1000
    keep = RATE * int(TRIM["keep_ms"]) // 1000
    n = len(wave) // frame
    power = np.square(wave[: n * frame].reshape(n, frame)).mean(1) if n else np.zeros(0, np.float32)
    if not n or power.max() < 1e-8:
        return 0, 0
    loud = np.flatnonzero(power > power.max() * 10 ** (-TRIM["below_loudest_db"] / 10))
    return max(0, int(loud[0]) * frame - keep), min(len(wave), (int(loud[-1]) + 1) * frame + keep)


def _levelled(wave: np.ndarray) -> np.ndarray:
    gain = 10 ** (LEVEL_DB / 20) / float(np.sqrt(np.square(wave).mean()))
    return (wave * min(gain, 0.97 / float(np.abs(wave).max()))).astype(np.float32)
