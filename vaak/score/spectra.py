"""How far a decoded wave is from its original: the delay between them, and the distance of their log-mel spectra."""

from __future__ import annotations

import numpy as np

from vaak.score.asr import RATE, at_rate

# Of the levels that `delay` compares: a frame of 20 ms each 2.5 ms.
_FRAME, _HOP = RATE // 50, RATE // 400
# What is this far below the loudest of a wave counts as this far below: nobody hears the noise of a pause in dB.
_RANGE_DB = 60.0


def delay(wave: np.ndarray, original: np.ndarray, rate: int, most_s: float = 0.1) -> float:
    """Seconds by which `wave` comes later than `original` (float32[T] each, `rate` Hz), in steps of 2.5 ms.

    The lag with the largest correlation of the two level curves in dB. A vocoder makes phases of its own, so the waves
    themselves need not correlate anywhere. 0.0 where either is silent or shorter than the search.
    """
    ours, theirs = _levels(at_rate(wave, rate)), _levels(at_rate(original, rate))
    most = round(most_s * RATE / _HOP)
    best, found = 0.0, 0
    for lag in sorted(range(-most, most + 1), key=abs):  # the smaller lag among equals
        late, early = ours[max(lag, 0) :], theirs[max(-lag, 0) :]
        n = min(len(late), len(early))
        if n > most:
            correlation = _correlation(late[:n], early[:n])
            if correlation > best + 1e-9:
                best, found = correlation, lag
    return found * _HOP / RATE


def without_delay(wave: np.ndarray, seconds: float, rate: int, length: int) -> np.ndarray:
    """`wave` earlier by `seconds` and `length` samples long: cut where it is longer, silence where it is shorter."""
    shift = round(seconds * rate)
    wave = wave[shift:] if shift >= 0 else np.pad(wave, (-shift, 0))
    return np.pad(wave[:length], (0, max(0, length - len(wave))))


def log_mel_distance(wave: np.ndarray, original: np.ndarray, rate: int, below_hz: float = RATE / 2) -> float:
    """Mean of |10 log10 E - 10 log10 E'| over all frames and bands, in dB: 0.0 for the same sound.

    E are the energies of `vaak.codec.fbank.log_mel` (Kaldi's: 80 bands from 20 to 8,000 Hz, 25 ms each 10 ms). Both waves
    are brought to one RMS first, so that loudness alone costs nothing, and energies further than 60 dB below the
    original's largest are raised to that. `below_hz` leaves the bands out that reach above it: for a codec of the
    telephone band, which has nothing there; the bands that stay are then brought to one mean energy. The waves must lie
    over each other (`delay`, `without_delay`); the end of the longer one is left out. NaN where there are less than 25 ms
    or one of them is silent.
    """
    import torch

    from vaak.codec import fbank

    waves = [at_rate(one, rate) for one in (wave, original)]
    length = min(map(len, waves))
    loudness = [float(np.sqrt(np.square(one[:length], dtype=np.float64).mean())) if length else 0.0 for one in waves]
    if length < fbank.FRAME or min(loudness) < 1e-6:
        return float("nan")
    bands = fbank.bands_below(below_hz)
    ours, theirs = (
        fbank.log_mel(torch.from_numpy((one[:length] * (0.05 / loud)).astype(np.float32)))[:, :bands]
        * (10 / np.log(10))
        for one, loud in zip(waves, loudness, strict=True)
    )
    if below_hz < RATE / 2:  # or a sound that has nothing above would be too loud below
        ours = ours + 10 * (10 ** (theirs / 10)).mean().log10() - 10 * (10 ** (ours / 10)).mean().log10()
    floor = float(theirs.max()) - _RANGE_DB
    return float((ours.clamp(min=floor) - theirs.clamp(min=floor)).abs().mean())


def _levels(wave: np.ndarray) -> np.ndarray:
    """dB of each frame, at most 60 dB below the loudest; empty for a silent or very short wave."""
    if len(wave) < _FRAME or not wave.any():
        return np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    power = (sums[_FRAME:] - sums[:-_FRAME])[::_HOP] / _FRAME
    return 10 * np.log10(np.maximum(power, power.max() * 10 ** (-_RANGE_DB / 10)))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0
