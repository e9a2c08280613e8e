"""PLCMOS v2 (Diener et al. 2023) from the weights in the `speechmos` wheel: a network's guess at a listener's 1 to 5.

It was trained on calls with lost packets, so it hears gaps, buzz and robotic filling, with another network and on other
data than DNSMOS: a judge of sound that no reward here uses. The published script asks the network with 15 raters drawn
anew at every call, so that its figure moves by some hundredths; here the 15 raters are drawn once and for all, and one wave
has one figure. 0.15 s for a clip of three seconds on one idle core.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from vaak.errors import BadInput
from vaak.score.asr import RATE, at_rate
from vaak.score.packaged_network import open_packaged
from vaak.score.quality import BOTTOM
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share

NAME = "plcmos-v2"
_WEIGHTS = "plcmos_v2.onnx"
_MAX_SECONDS = 20
_WINDOW, _HOP = 512, 256
# Digital zeros are so far below the smallest power that is none; of silence alone every power is the second.
_ZERO_DB, _SILENCE_DB = -120.0, -80.0
_RATERS = np.random.default_rng(0).standard_normal((15, 64)).astype(np.float32)


@cache
def _network():
    return open_packaged("speechmos", "plcmos_models", _WEIGHTS)


def is_installed() -> bool:
    """Whether the network is here: else `plcmos` raises."""
    return _network() is not None


def plcmos(wave: np.ndarray, rate: int) -> float:
    """PLCMOS of `wave` (float32[T], `rate` Hz), 1.0 to 5.0; 1.0 exactly when there is no speech energy in it.

    Clips beyond 20 s are scored on their first 20 s. Raises `BadInput` where the network is not installed.
    """
    network = _network()
    if network is None:
        raise BadInput("PLCMOS needs the package speechmos; `pip install vaak[asr]`")
    wave = at_rate(wave, rate)[: _MAX_SECONDS * RATE]
    if len(wave) < RATE // 10 or speech_share(wave, RATE) < MIN_SPEECH_SHARE:
        return BOTTOM
    heard = _log_power(wave)[None, None]
    scores = [network.run(None, {"degraded_audio": heard, "rater_embed": one[None]})[0] for one in _RATERS]
    return float(np.clip(np.mean(np.asarray(scores, np.float64)), BOTTOM, 5.0))


def _log_power(wave: np.ndarray) -> np.ndarray:
    """The features of the published script: float32[frames, 257], half of the natural log of power over ten."""
    frames = 1 + -(-len(wave) // _HOP)
    padded = np.zeros((frames - 1) * _HOP + _WINDOW)
    padded[_HOP : _HOP + len(wave)] = wave
    window = np.hamming(_WINDOW + 1)[:-1]
    spectrum = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * window)
    power = np.abs(spectrum) ** 2
    heard = power > 0
    natural = np.log(10) / 10  # of one decibel
    floor = np.log(power[heard].min()) + _ZERO_DB * natural if heard.any() else _SILENCE_DB * natural
    return (np.where(heard, np.log(np.where(heard, power, 1.0)), floor) / 20).astype(np.float32)
