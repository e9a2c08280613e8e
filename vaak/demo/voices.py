"""The synthetic voices of the example: who speaks which language, and how a text becomes a wave.

Three engines: hibari (neural English, inside its wheel), flite (statistical English, a Debian package) and espeak-ng
(formants; all eleven Indic languages). Needed only to make the corpus again: what ships are codes.
"""

from __future__ import annotations

import functools
import io
import subprocess
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaak.demo.espeak import espeak_version, espeak_wave
from vaak.errors import BadInput
from vaak.languages import LANGUAGES

RATE = 16000  # Hz, of every wave that leaves this module
ESPEAK_WORDS_PER_MINUTE = 165
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
    Voice("awb", "flite", "en", "awb", "Alan, a man", held_out=True),
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


def synthesise(voice: Voice, text: str, speed: float = 1.0) -> np.ndarray:
    """`text` spoken by `voice`: float32[T] at 16 kHz, silence trimmed to about 80 ms, RMS -23 dB; same input, same wave.

    `speed` 1.1 speaks ten per cent faster. Raises `BadInput` if the engine is not installed or says nothing.
    """
    return speech(voice, text, speed).wave


def speech(voice: Voice, text: str, speed: float = 1.0) -> Speech:
    """As `synthesise`, with the place of the wave in the engine's own output."""
    if voice.engine == "espeak":
        from vaak.demo.espeak import RATE as rate

        wave = espeak_wave(voice.variant, _spoken_form(voice.language, text), round(ESPEAK_WORDS_PER_MINUTE * speed))
    elif voice.engine == "flite":
        wave, rate = _flite(voice.variant, text, speed)
    elif voice.engine == "hibari":
        wave, rate = _hibari()(text, speed=speed, seed=0), 24000
    else:
        raise BadInput(f"voice {voice.name!r} names the engine {voice.engine!r}; use espeak, flite or hibari")
    if rate != RATE:
        import soxr

        wave = soxr.resample(wave, rate, RATE, quality="HQ")
    start, end = _loud_part(wave)
    if end <= start:
        raise BadInput(f"{voice.engine} voice {voice.variant!r} says nothing for {text[:60]!r}: change that text")
    return Speech(_levelled(wave[start:end]), start * 1000 // RATE, end * 1000 // RATE)


# Letters that espeak-ng 1.52 reads out by name, or with a vowel too many, and what it reads well instead: letters with a
# dot below must be one code point in Bengali script, and where that fails too the nearest letter takes their place.
_READ_AS = {
    "bn": {"ড\u09bc": "\u09dc", "ঢ\u09bc": "\u09dd", "য\u09bc": "\u09df"},
    "as": {"ড\u09bc": "ৰ", "ঢ\u09bc": "ৰ", "য\u09bc": "\u09df", "\u09dc": "ৰ", "\u09dd": "ৰ", "র": "ৰ"},
    "or": {"ଡ\u0b3c": "ର", "\u0b5c": "ର", "ୱ": "ବ"},
}


def _spoken_form(language: str, text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    for written, read in _READ_AS.get(language, {}).items():
        text = text.replace(written, read)
    return text


@functools.cache
def engine_version(engine: str) -> str:
    """Name and version of an engine as installed, for `source_id` and the provenance file."""
    import importlib.metadata

    if engine == "espeak":
        return espeak_version()
    if engine == "hibari":
        return f"hibari-tts {importlib.metadata.version('hibari-tts')}"
    out = _run_flite(["--version"]).decode()
    return next(line.split(":")[1].split()[0] for line in out.splitlines() if "version:" in line)


@functools.cache
def _hibari():
    try:
        from hibari import Hibari  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadInput("the English voice needs hibari-tts: pip install hibari-tts==0.2.1") from None
    return Hibari(voice="heart", threads=1)


def _run_flite(arguments: list[str]) -> bytes:
    try:
        return subprocess.run(["flite", *arguments], check=False, capture_output=True).stdout
    except FileNotFoundError:
        raise BadInput("the English voices slt, rms and awb need flite: apt-get install flite") from None


def _flite(variant: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        _run_flite(["-voice", variant, "--setf", f"duration_stretch={1 / speed:.4f}", "-t", text, "-o", str(path)])
        data = path.read_bytes()
    wave, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return wave, rate


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
