"""DNSMOS P.835 (Reddy et al. 2022) from the weights in the `speechmos` wheel: a model's guess at a listener's 1 to 5.

It hears noise, buzz and roughness; it does not hear wrong words, and it gives digital silence 1.84: so a wave without
speech energy gets the bottom of the scale here. For clips of 9 s and more the figure is that of
`speechmos.dnsmos.run(...)["ovrl_mos"]`. A shorter clip is repeated until it fills the one window that the network hears;
the published script doubles it until then and averages up to eight windows of the same repeated sound, at up to eight
times the cost. Only the network that is asked for runs, on one thread: 0.45 s a window on one idle core.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from vaak.errors import BadInput
from vaak.score.asr import RATE, at_rate
from vaak.score.packaged_network import open_packaged
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share

BOTTOM = 1.0
# The network hears 9.01 s; a shorter clip is repeated until it fills that, a longer one is heard once a second.
_WINDOW = int(9.01 * RATE)
_HOP = RATE
_MAX_SECONDS = 20
# From the raw output to P.835 overall: the polynomial of the published scoring script.
_OVERALL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])


@cache
def _network():
    network = open_packaged("speechmos", "dnsmos_models", "sig_bak_ovr.onnx")
    if network is None:
        raise BadInput("DNSMOS needs the packages speechmos and onnxruntime; `pip install speechmos onnxruntime`")
    return network


def dnsmos(wave: np.ndarray, rate: int) -> float:
    """Overall DNSMOS of `wave` (float32[T]), 1.0 to 5.0; 1.0 exactly when there is no speech energy in it.

    Clips beyond 20 s are scored on their first 20 s.
    """
    wave = at_rate(wave, rate)[: _MAX_SECONDS * RATE]
    if len(wave) < RATE // 10 or speech_share(wave, RATE) < MIN_SPEECH_SHARE:
        return BOTTOM
    if len(wave) < _WINDOW:
        wave = np.resize(wave, _WINDOW)
    hops = int(len(wave) // RATE - 9.01) + 1
    raw = [
        np.asarray(_network().run(None, {"input_1": wave[None, start : start + _WINDOW]})[0])[0, 2]
        for start in range(0, hops * _HOP, _HOP)
        if start + _WINDOW <= len(wave)
    ]
    return float(np.clip(np.mean(_OVERALL(np.array(raw, dtype=np.float64))), BOTTOM, 5.0))
