"""Recordings of people that Debian packages carry, for the codec's training audio: which ones, and how they are read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaak.demo.codec_texts import tidy
from vaak.demo.voices import RATE, resampled, trimmed
from vaak.errors import BadInput

_SHORTEST, _LONGEST = 0.3, 20.0  # seconds of a clip after trimming


@dataclass(frozen=True)
class Recordings:
    """Clips of one speaker or group: the Debian package, the files, and how many minutes of them the codec hears."""

    name: str
    package: str
    language: str
    folder: Path
    pattern: str
    minutes: float
    licence: str


def _asterisk(language: str, folder: str, minutes: float) -> Recordings:
    package = f"asterisk-core-sounds-{language}-g722"
    place = Path("/usr/share/asterisk/sounds") / folder
    return Recordings(f"asterisk-{language}", package, language, place, "**/*.g722", minutes, "CC-BY-SA-3.0")


def _tuxpaint(language: str, minutes: float) -> Recordings:
    place, pattern = Path("/usr/share/tuxpaint/stamps"), f"**/*_desc_{language}.ogg"
    return Recordings(f"tuxpaint-{language}", "tuxpaint-stamps-default", language, place, pattern, minutes, "GPL-2+")


def _fillets(language: str, minutes: float) -> Recordings:
    place, package = Path("/usr/share/games/fillets-ng/sound"), f"fillets-ng-data-{language}"
    return Recordings(f"fillets-{language}", package, language, place, f"*/{language}/*.ogg", minutes, "GPL-2+")


def _klettres(language: str, minutes: float) -> Recordings:
    place = Path("/usr/share/klettres") / language
    code = language.split("_")[0]
    return Recordings(f"klettres-{language}", "klettres-data", code, place, "**/*.ogg", minutes, "GPL-2+")


_KLETTRES = [
    "ar",
    "cs",
    "da",
    "de",
    "en",
    "en_GB",
    "es",
    "fr",
    "he",
    "hu",
    "it",
    "lt",
    "nb",
    "nds",
    "nl",
    "pt_BR",
    "ru",
    "tn",
    "uk",
]

# All at 16 kHz and more: prompts of a telephone exchange in its wide-band form, a game's dialogues, letters and words.
RECORDINGS: Sequence[Recordings] = (
    _asterisk("en", "en_US_f_Allison", 22),
    _asterisk("es", "es_MX_f_Allison", 8),
    _asterisk("fr", "fr_CA_f_June", 10),
    _asterisk("it", "it_IT_m_Carlo", 10),
    _asterisk("ru", "ru_RU_f_IvrvoiceRU", 10),
    *(_tuxpaint(language, 5) for language in ("be", "bg", "ca", "da", "es", "fr", "ro", "ru")),
    _tuxpaint("el", 0),
    _fillets("cs", 18),
    _fillets("nl", 18),
    _klettres("ml", 8),
    *(_klettres(language, 0.8) for language in _KLETTRES),
    Recordings(
        "librivox",
        "pocketsphinx-testdata",
        "en",
        Path("/usr/share/pocketsphinx/test/data/librivox"),
        "*.wav",
        0,
        "public domain",
    ),
)


def clips(recordings: Recordings, rng: random.Random) -> list[Path]:
    """Its files in an order drawn by `rng`. Raises `BadInput` if the package is not installed."""
    found = sorted(recordings.folder.glob(recordings.pattern))
    if not found:
        raise BadInput(f"{recordings.name} is not on this machine: apt-get install {recordings.package}")
    rng.shuffle(found)
    return found


def read_clip(path: Path) -> np.ndarray:
    """float32[T] at 16 kHz, trimmed and levelled as the voices are; empty if it is too short, long, silent or narrow."""
    wave, rate = _decoded(path)
    if rate < RATE or not len(wave):
        return np.zeros(0, np.float32)
    wave = trimmed(resampled(wave, rate))
    return wave if _SHORTEST <= len(wave) / RATE <= _LONGEST else np.zeros(0, np.float32)


def transcript(recordings: Recordings, path: Path) -> str:
    """What is said in a clip, where the package tells; else nothing."""
    if recordings.name == "librivox":
        lines = (recordings.folder / "transcription").read_text(encoding="utf-8").splitlines()
        line = next((line for line in lines if f"({path.stem})" in line), "")
        return line.rpartition("(")[0].replace("<s>", "").replace("</s>", "").strip()
    if recordings.package == "tuxpaint-stamps-default":
        said = path.with_name(path.name.replace(f"_desc_{recordings.language}.ogg", ".txt"))
        lines = said.read_text(encoding="utf-8").splitlines() if said.is_file() else []
        return next((line.partition("=")[2] for line in lines if line.startswith(f"{recordings.language}.utf8=")), "")
    return ""


def clip_key(recordings: Recordings, path: Path) -> str:
    """What decides which side of the split a clip is on: its transcript as voices say it, else the hash of its bytes.

    Not its name: packages carry one clip under several names, and one caption read by several people.
    """
    return tidy(transcript(recordings, path)) or clip_hash(path)


def clip_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _decoded(path: Path) -> tuple[np.ndarray, int]:
    if path.suffix != ".g722":
        import soundfile

        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return wave.mean(axis=1), rate
    try:
        import av
    except ImportError:
        raise BadInput("G.722 needs PyAV: pip install av") from None
    with av.open(str(path), format="g722") as container:
        parts = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    # An empty file has no frames at all.
    return np.concatenate([np.zeros(0, np.int16), *parts]).astype(np.float32) / 32768, RATE
