"""A recording read again on one note: what a model sounds like whose melody has collapsed."""

from __future__ import annotations

import numpy as np

from vaak.codec.pitch import HOP, RATE, track_pitch

_UNVOICED = RATE // 200


def flattened(wave: np.ndarray) -> np.ndarray:
    """`wave` (float32[T], 16 kHz) with its pitch at the median throughout and its words, timbre and timing as they were.

    Pitch-synchronous overlap and add (Moulines and Charpentier 1990): grains of two periods, put down one median period apart.
    """
    f0, voiced = track_pitch(wave)
    if not voiced.any():
        return wave
    periods = np.where(voiced, RATE / f0, _UNVOICED)
    marks, at = [], 0
    while at < len(wave) - 1:
        marks.append(at)
        frame = min(at // HOP, len(f0) - 1)
        step = periods[frame]
        if not voiced[frame]:
            at += int(step)
            continue
        window = wave[int(at + 0.7 * step) : int(at + 1.3 * step)]
        at = int(at + 0.7 * step) + int(np.argmax(window)) if len(window) else len(wave)
    grains = np.array(marks)
    note = RATE / float(np.median(f0[voiced]))
    out, weight, at = np.zeros(len(wave)), np.zeros(len(wave)), 0.0
    while at < len(wave):
        frame = min(int(at) // HOP, len(f0) - 1)
        mark = int(grains[np.argmin(np.abs(grains - at))])
        half = int(periods[min(mark // HOP, len(f0) - 1)])
        shift = round(at) - mark
        first, last = max(mark - half, 0, -shift), min(mark + half, len(wave), len(wave) - shift)
        if last > first:
            window = np.hanning(2 * half + 1)[first - mark + half : last - mark + half]
            out[first + shift : last + shift] += window * wave[first:last]
            weight[first + shift : last + shift] += window
        at += note if voiced[frame] else _UNVOICED
    return (out / np.maximum(weight, 0.5)).astype(np.float32)
