"""Log-mel filter bank energies as Kaldi computes them, which is what w2v-BERT hears inside xcodec2 and NeuCodec.

Kaldi's `compute-fbank-feats` with 25 ms povey windows every 10 ms, 80 triangles between 20 Hz and Nyquist on the mel
scale 1127 ln(1 + f / 700), DC removed per frame, pre-emphasis 0.97, no dither, whole frames only (`snip-edges`); see
kaldi/src/feat/feature-fbank.cc and mel-computations.cc. The public extractors of these codecs call torchaudio for it,
which does not install beside this torch.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

RATE = 16000
FRAME, SHIFT, FFT, BANDS = 400, 160, 512, 80
_LOW_HZ, _PREEMPHASIS = 20.0, 0.97
_SIXTEEN_BIT = 2.0**15


def log_mel(wave: Tensor) -> Tensor:
    """float32[T] in [-1, 1] at 16 kHz to log energies, float32[1 + (T - 400) // 160, 80]."""
    frames = (wave * _SIXTEEN_BIT).unfold(0, FRAME, SHIFT)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    frames = (frames - _PREEMPHASIS * before) * _window(wave.device)
    power = torch.fft.rfft(functional.pad(frames, (0, FFT - FRAME))).abs().square()
    return (power @ _triangles(wave.device).T).clamp(min=torch.finfo(torch.float32).eps).log()


def stacked_features(wave: Tensor) -> Tensor:
    """`log_mel` with mean 0 and variance 1 per band over the recording, two frames side by side: float32[F // 2, 160]."""
    bands = log_mel(wave)
    bands = (bands - bands.mean(0)) / torch.sqrt(bands.var(0, unbiased=True) + 1e-7)
    return bands[: len(bands) // 2 * 2].reshape(-1, 2 * BANDS)


def bands_below(hz: float) -> int:
    """How many of the `BANDS` end at or below `hz`; they are the first ones of `log_mel`."""
    return int((_edges()[2:] <= 1127 * math.log1p(hz / 700) + 1e-6).sum())


@cache
def _window(device: torch.device) -> Tensor:
    """Kaldi's povey window: a symmetric Hann window to the power of 0.85."""
    return torch.hann_window(FRAME, periodic=False, dtype=torch.float64).pow(0.85).float().to(device)


def _edges() -> Tensor:
    """float64[82] in mel: band i begins at edge i, peaks at edge i + 1 and ends at edge i + 2."""
    low, high = (1127 * torch.log1p(torch.tensor(edge, dtype=torch.float64) / 700) for edge in (_LOW_HZ, RATE / 2))
    return low + (high - low) * torch.arange(BANDS + 2, dtype=torch.float64) / (BANDS + 1)


@cache
def _triangles(device: torch.device) -> Tensor:
    """float32[80, 257]: triangles even on the mel scale, their slopes straight in mel, nothing at Nyquist."""
    hz = torch.arange(FFT // 2, dtype=torch.float64) * (RATE / FFT)
    mels = 1127 * torch.log1p(hz / 700)
    edges = _edges()
    rising = (mels - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - mels) / (edges[2:] - edges[1:-1])[:, None]
    return functional.pad(torch.minimum(rising, falling).clamp(min=0), (0, 1)).float().to(device)
