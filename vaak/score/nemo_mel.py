"""Log-mel features as NeMo computes them for a Conformer at inference (`AudioToMelSpectrogramPreprocessor`).

Pre-emphasis 0.97 over the whole wave, symmetric Hann windows of 25 ms each 10 ms, centred, the wave reflected at both
ends, FFT of 512, power, 80 triangles of Slaney's mel scale and area from 0 to 8,000 Hz, log(x + 2^-24), then each band
to mean 0 and standard deviation 1 over the clip (n - 1, plus 1e-5). Dither is for training only. Sources: NeMo 1.23
`nemo/collections/asr/parts/preprocessing/features.py` (`FilterbankFeatures`, `normalize_batch`) with the settings that
IndicConformer was trained with; its published TorchScript preprocessor has the same, and is not run here.
"""

from __future__ import annotations

from functools import cache

import numpy as np

RATE, BANDS = 16000, 80
_FFT, _WINDOW, HOP = 512, 400, 160
_PREEMPHASIS, _LOG_GUARD, _STD_GUARD = 0.97, 2.0**-24, 1e-5
# Fewer samples cannot be reflected at their ends.
SHORTEST = _FFT // 2 + 1


def nemo_mel(wave: np.ndarray) -> np.ndarray:
    """float32[T] at 16 kHz, T at least 257, to normalised log energies float32[80, 1 + T // 160]."""
    wave = np.asarray(wave, np.float64)
    wave = np.concatenate([wave[:1], wave[1:] - _PREEMPHASIS * wave[:-1]])
    padded = np.pad(wave, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * _centred_window(), axis=1)) ** 2
    energies = np.log(power @ _triangles() + _LOG_GUARD).T
    deviation = energies.std(axis=1, ddof=1, keepdims=True) + _STD_GUARD
    return ((energies - energies.mean(axis=1, keepdims=True)) / deviation).astype(np.float32)


@cache
def _centred_window() -> np.ndarray:
    """float64[512]: the window of 400 in the middle of the FFT's frame, as `torch.stft` places it."""
    return np.pad(np.hanning(_WINDOW), (_FFT - _WINDOW) // 2)


@cache
def _triangles() -> np.ndarray:
    """float64[257, 80]."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(_FFT // 2 + 1, BANDS, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
