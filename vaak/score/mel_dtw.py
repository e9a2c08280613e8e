"""How far one utterance is from another of the same words, whatever the tempo: mel cepstra under dynamic time warping.

The distance of two frames is mel-cepstral distortion (Kubichek 1993), the warping that of Sakoe and Chiba (1978) in its
symmetric form without a slope constraint. It needs no recogniser, so it says something of languages that have none here:
the right words in the right voice are nearer to the recording than other words in that voice.
"""

from __future__ import annotations

import numpy as np

from vaak.score.asr import at_rate

COEFFICIENTS = 13  # of the cosine transform, the level of the frame (the zeroth) among them
# What is this far below the loudest of the recording counts as this far below: nobody hears the noise of a pause in dB.
_RANGE_DB = 60.0
_SILENT = 1e-6  # RMS


def mel_dtw(wave: np.ndarray, original: np.ndarray, rate: int) -> float:
    """Mean distance in dB along the best warping of `wave` onto `original` (float32[T] each, `rate` Hz); 0.0 for one sound.

    A frame is the log-mel spectrum of `vaak.codec.fbank.log_mel` (80 bands, 25 ms each 10 ms) in dB, smoothed to its first
    13 cosine coefficients; two frames are apart by the RMS over the bands of what these differ by, which is mel-cepstral
    distortion with the level of the frame kept in. Both waves are brought to one RMS first, so that loudness alone costs
    nothing, and energies more than 60 dB below the recording's largest are raised to that. A silent, empty or very short
    `wave` is that floor throughout, so it has a distance, and a bad one; NaN only where `original` is such.
    """
    theirs = _log_mel(original, rate)
    if theirs is None:
        return float("nan")
    floor = float(theirs.max()) - _RANGE_DB
    ours = _log_mel(wave, rate)
    if ours is None:
        ours = np.full((1, theirs.shape[1]), floor)
    one, other = (_smoothed(np.maximum(bands, floor)) for bands in (ours, theirs))
    return warped_mean(_distances(one, other))


def warped_mean(cost: np.ndarray) -> float:
    """The least mean of `cost` (float[N, M], N, M ≥ 1) along a path from its first corner to its last.

    Steps go on by one in either direction or in both (Sakoe and Chiba 1978, symmetric, P = 0): a step in both counts its
    cell twice, so that all paths weigh N + M together and none is cheaper for being short. Exact, no band: the cells of
    one anti-diagonal depend only on the two before it, so each is one operation on arrays.
    """
    rows, columns = cost.shape
    cost = np.asarray(cost, np.float64)
    # [i] of a diagonal is the cell (i - 1, d - i + 1): a border of infinity stands around the matrix.
    before, last = (np.full(rows + 1, np.inf) for _ in range(2))
    last[1] = 2 * cost[0, 0]
    for d in range(1, rows + columns - 1):
        first, end = max(0, d - columns + 1), min(d, rows - 1) + 1
        i = np.arange(first, end)
        here = cost[i, d - i]
        now = np.full(rows + 1, np.inf)
        straight = np.minimum(last[first:end], last[first + 1 : end + 1]) + here
        now[first + 1 : end + 1] = np.minimum(straight, before[first:end] + 2 * here)
        before, last = last, now
    return float(last[rows] / (rows + columns))


def _log_mel(wave: np.ndarray, rate: int) -> np.ndarray | None:
    """dB, float64[frames, 80], of the wave at an RMS of -26 dB; None where there is nothing to hear."""
    import torch

    from vaak.codec import fbank

    wave = at_rate(wave, rate)
    loud = float(np.sqrt(np.square(wave, dtype=np.float64).mean())) if len(wave) else 0.0
    if len(wave) < fbank.FRAME or loud < _SILENT:
        return None
    bands = fbank.log_mel(torch.from_numpy((wave * (0.05 / loud)).astype(np.float32)))
    return bands.numpy().astype(np.float64) * (10 / np.log(10))


def _smoothed(bands: np.ndarray) -> np.ndarray:
    """float64[frames, 13]: orthonormal cosine coefficients (DCT-II), over √bands so that lengths are RMS over bands."""
    n = bands.shape[1]
    angles = np.pi / n * (np.arange(n) + 0.5)[:, None] * np.arange(COEFFICIENTS)
    scale = np.where(np.arange(COEFFICIENTS) == 0, 1.0, np.sqrt(2.0)) / n
    return bands @ (np.cos(angles) * scale)


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean, float64[N, M]. Not by the product formula, which loses the small ones."""
    total = np.zeros((len(one), len(other)))
    for a, b in zip(one.T, other.T, strict=True):
        total += np.square(a[:, None] - b[None, :])
    return np.sqrt(total)
