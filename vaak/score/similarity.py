"""Speaker similarity: cosine of two utterance embeddings (GE2E, Wan et al. 2018; weights in the `resemblyzer` wheel).

Embeddings of this network are never negative, so two strangers score about 0.5 to 0.7 and one voice 0.8 to 0.95: read
it beside the value between two recordings of the same speaker.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

from vaak.score.asr import RATE, at_rate
from vaak.score.sanity import MIN_SPEECH_SHARE, frame_levels, speech_share


@cache
def _encoder():
    with warnings.catch_warnings():
        # Its voice activity detector imports pkg_resources, which warns of its own removal: the pin is in pyproject.toml.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


def embed_voice(wave: np.ndarray, rate: int) -> np.ndarray | None:
    """Unit-length embedding float32[256] of the voice in `wave`, or None when there is no speech energy in it."""
    wave = at_rate(wave, rate)
    if speech_share(wave, RATE) < MIN_SPEECH_SHARE or len(wave) < RATE // 10:
        return None
    loud = 10 ** (float(np.quantile(frame_levels(wave, RATE), 0.95)) / 20)
    return np.asarray(_encoder().embed_utterance(np.clip(wave * (0.1 / loud), -1, 1).astype(np.float32)))


def similarity(voice: np.ndarray | None, other: np.ndarray | None) -> float:
    """Cosine of two embeddings, 0.0 to 1.0; 0.0 when either is missing (silence is nobody's voice)."""
    return 0.0 if voice is None or other is None else float(np.dot(voice, other))
