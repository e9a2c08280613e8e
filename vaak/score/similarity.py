"""Speaker similarity: cosine of two utterance embeddings, by a network that is named and hashed as a recogniser is.

Without a choice it is GE2E from the `resemblyzer` wheel. Its embeddings are never negative, so two strangers score about
0.5 to 0.7 and one voice 0.8 to 0.95; another network has another scale: read a figure beside that of two recordings of
the same speaker by the same network. Each kind has a file of its own: `similarity_ge2e`, `similarity_wavlm`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from vaak.score.asr import RATE, at_rate
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share


class Embedder(Protocol):
    """A network that hears who speaks: `name`, and `hash` of its weights."""

    name: str
    hash: str

    def embed(self, wave: np.ndarray) -> np.ndarray:
        """Unit-length float32[d] of `wave` (float32[T] at 16 kHz, a tenth of a second or more, not silent)."""
        ...


def open_embedder(path: str | Path | None = None) -> Embedder:
    """The WavLM in folder `path`, or in `VAAK_SPEAKER`, else GE2E; one network a folder, however often it is asked for.

    Raises `BadInput` when a named folder holds no WavLM for x-vectors in safetensors, or when there is no embedder at all.
    """
    return _opened(str(path or os.environ.get("VAAK_SPEAKER") or ""))


@cache
def _opened(named: str) -> Embedder:
    if named:
        from vaak.score.similarity_wavlm import WavlmEmbedder

        return WavlmEmbedder(Path(named))
    from vaak.score.similarity_ge2e import Ge2eEmbedder

    return Ge2eEmbedder()


def embed_voice(wave: np.ndarray, rate: int, embedder: Embedder | None = None) -> np.ndarray | None:
    """Unit-length embedding float32[d] of the voice in `wave` (float32[T]), or None when there is no speech energy in it.

    By `open_embedder()` unless one is given.
    """
    wave = at_rate(wave, rate)
    if speech_share(wave, RATE) < MIN_SPEECH_SHARE or len(wave) < RATE // 10:
        return None
    return (embedder or open_embedder()).embed(wave)


def similarity(voice: np.ndarray | None, other: np.ndarray | None) -> float:
    """Cosine of two embeddings, 0.0 to 1.0: 0.0 when it is negative, or when either is missing (silence is nobody's voice)."""
    return 0.0 if voice is None or other is None else max(0.0, float(np.dot(voice, other)))
