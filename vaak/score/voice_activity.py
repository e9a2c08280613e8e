"""Where somebody speaks: Silero's voice activity detector (v6, MIT), whose weights ship in the wheel of faster-whisper.

Energy takes hum, clicks and noise for speech; this network does not. It is optional: without faster-whisper or
onnxruntime there is no figure, and nothing is guessed. It runs on one thread and draws nothing at random, so one wave has
one figure on one machine.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from vaak.score.asr import at_rate
from vaak.score.packaged_network import open_packaged

WEIGHTS = "silero_vad_v6.onnx"
NAME = "silero-v6"
# The network hears 32 ms at a time and the last 4 ms before them.
_WINDOW, _CONTEXT, _STATE = 512, 64, 128
# Silero's own threshold: a window above it is speech.
SPEECH_FROM = 0.5


@cache
def _network():
    return open_packaged("faster_whisper", "assets", WEIGHTS)


def is_installed() -> bool:
    """Whether there is a detector here: else the functions below answer None."""
    return _network() is not None


def voice_probabilities(wave: np.ndarray, rate: int) -> np.ndarray | None:
    """Probability of speech in each 32 ms of `wave` (float32[T], `rate` Hz): float32[n], the last window filled up with
    silence; empty for an empty wave; None where the detector is not installed."""
    network = _network()
    if network is None:
        return None
    wave = at_rate(wave, rate)
    if not len(wave):
        return np.zeros(0, np.float32)
    windows = np.pad(wave, (0, -len(wave) % _WINDOW)).reshape(-1, _WINDOW)
    before = np.concatenate([np.zeros((1, _CONTEXT), np.float32), windows[:-1, -_CONTEXT:]])
    state = np.zeros((1, 1, _STATE), np.float32)
    heard = {"input": np.concatenate([before, windows], axis=1), "h": state, "c": state}
    return np.asarray(network.run(None, heard)[0], np.float32).reshape(-1)


def voice_share(wave: np.ndarray, rate: int) -> float | None:
    """Share of 32 ms windows of `wave` (float32[T]) with a probability of speech of 0.5 or more.

    0.0 for an empty wave, None where the detector is not installed.
    """
    probabilities = voice_probabilities(wave, rate)
    if probabilities is None:
        return None
    return float(np.mean(probabilities >= SPEECH_FROM)) if len(probabilities) else 0.0
