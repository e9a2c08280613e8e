"""Fundamental frequency of speech, and the pulse train that it excites. Plain numpy, one wave at a time."""

from __future__ import annotations

import numpy as np

RATE = 16000
HOP = 160  # 100 frames a second
FLOOR_HZ, CEILING_HZ = 65.0, 500.0
_WINDOW = 704  # 44 ms: almost three periods of the lowest pitch
_CANDIDATES = 6
_BLOCK = 30 * RATE
_BLOCK_FRAMES = _BLOCK // HOP
_VOICING, _SILENCE, _OCTAVE, _JUMP, _SWITCH = 0.42, 0.03, 0.015, 0.4, 0.16


def track_pitch(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch of float32[T] at 16 kHz: (f0 float32[F] in Hz, voiced bool[F]), F = T // 160; frame j is centred at 160 j + 80.

    Autocorrelation of windowed frames divided by the window's own, the best path through the candidates of every
    frame (method of Boersma, 1993). Where a frame is not voiced, f0 is interpolated from its voiced neighbours.
    """
    n_frames = len(wave) // HOP
    side = (_WINDOW - HOP) // 2
    padded = np.pad(wave.astype(np.float32), (side, side + _WINDOW))
    blocks = []
    for first in range(0, max(n_frames, 1), _BLOCK_FRAMES):  # in blocks: the arithmetic takes 5 MB a second of audio
        correlation, peaks = _frame_correlation(padded, first, min(first + _BLOCK_FRAMES, n_frames))
        blocks.append((*_candidates(correlation), peaks))
    hz, strength, loudness = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    global_peak = max(float(loudness.max(initial=0.0)), 1e-9)
    unvoiced = _VOICING + np.maximum(0.0, 2.0 - (loudness / global_peak) / (_SILENCE / (1 + _VOICING)))
    path = _best_path(hz, strength, unvoiced)
    voiced = path < _CANDIDATES
    f0 = np.take_along_axis(hz, np.minimum(path, _CANDIDATES - 1)[:, None], axis=1)[:, 0]
    return fill_unvoiced(f0, voiced), voiced


def fill_unvoiced(f0: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """f0 with the frames that are not voiced interpolated between those that are (120 Hz where none is)."""
    if not voiced.any():
        return np.full(len(f0), 120.0, np.float32)
    frames = np.arange(len(f0))
    return np.interp(frames, frames[voiced], f0[voiced]).astype(np.float32)


def pulse_train(f0: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Band-limited pulses: float32[160 F] with unit power where voiced, zero elsewhere, all harmonics below 7.6 kHz equal.

    The sum of cosines has the closed form sin((K + 1/2) p) / (2 sin(p / 2)) - 1/2 (Dirichlet's kernel).
    """
    centres = np.arange(len(f0)) * HOP + HOP / 2
    hz_of_frames, phase_before = np.clip(f0, FLOOR_HZ / 2, CEILING_HZ * 2), 0.0
    pulses = np.zeros(len(f0) * HOP, np.float32)
    for start in range(0, len(pulses), _BLOCK):  # in blocks: the arithmetic takes 80 bytes a sample
        samples = np.arange(start, min(start + _BLOCK, len(pulses)))
        hz = np.interp(samples, centres, hz_of_frames)
        amplitude = np.interp(samples, centres, np.asarray(voiced, np.float64))
        pulses[samples], phase_before = pulses_of(hz, amplitude, phase_before)
    return pulses


def pulses_of(hz: np.ndarray, amplitude: np.ndarray, phase_before: float) -> tuple[np.ndarray, float]:
    """Pitch and amplitude of each sample, float64[T], to the pulses float32[T], and the phase at the last of them."""
    if not len(hz):
        return np.zeros(0, np.float32), phase_before
    phase = np.mod(phase_before + np.cumsum(2 * np.pi * hz / RATE), 2 * np.pi)
    harmonics = np.floor(7600.0 / hz)
    half = np.sin(phase / 2)
    safe = np.where(np.abs(half) < 1e-6, 1e-6, half)
    kernel = np.where(np.abs(half) < 1e-6, harmonics, np.sin((harmonics + 0.5) * phase) / (2 * safe) - 0.5)
    return (kernel * np.sqrt(2.0 / harmonics) * amplitude).astype(np.float32), float(phase[-1])


def _frame_correlation(padded: np.ndarray, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[first * HOP : stop * HOP : HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    loudness = np.abs(frames).max(axis=1)
    window = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    size = 2048
    longest = int(RATE / FLOOR_HZ) + 2
    own = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[:longest]
    power = np.abs(np.fft.rfft(frames * window, size, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)[:, :longest]
    return (correlation / np.maximum(correlation[:, :1], 1e-9) / (own / own[0])).astype(np.float32), loudness


def _candidates(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shortest = int(RATE / CEILING_HZ)
    left, middle, right = correlation[:, shortest - 1 : -2], correlation[:, shortest:-1], correlation[:, shortest + 1 :]
    lags = np.arange(shortest, shortest + middle.shape[1])
    curvature = np.minimum(left - 2 * middle + right, -1e-6)
    offset = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    height = middle - 0.25 * (left - right) * offset
    hz = RATE / (lags + offset)
    score = np.minimum(height, 1.0) + _OCTAVE * np.log2(hz / FLOOR_HZ)
    score = np.where((middle >= left) & (middle > right) & (middle > 0.2), score, -1.0)
    best = np.argpartition(-score, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    return np.take_along_axis(hz, best, axis=1).astype(np.float32), np.take_along_axis(score, best, axis=1)


def _best_path(hz: np.ndarray, strength: np.ndarray, unvoiced: np.ndarray) -> np.ndarray:
    """Viterbi over the candidates and, as the last state, 'not voiced'."""
    n_frames = len(hz)
    gains = np.concatenate([strength, unvoiced[:, None]], axis=1)
    octaves = np.log2(hz)
    total = gains[0].copy() if n_frames else np.zeros(_CANDIDATES + 1)
    back = np.zeros((n_frames, _CANDIDATES + 1), np.int8)
    cost = np.full((_CANDIDATES + 1, _CANDIDATES + 1), _SWITCH)
    cost[-1, -1] = 0.0
    jumps = _JUMP * np.abs(octaves[1:, None, :] - octaves[:-1, :, None]) if n_frames > 1 else np.zeros((0, 1, 1))
    columns = np.arange(_CANDIDATES + 1)
    for frame in range(1, n_frames):
        cost[:-1, :-1] = jumps[frame - 1]
        options = total[:, None] - cost
        choice = options.argmax(axis=0)
        back[frame] = choice
        total = options[choice, columns] + gains[frame]
    path = np.zeros(n_frames, np.int64)
    if n_frames:
        path[-1] = int(total.argmax())
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    return path
