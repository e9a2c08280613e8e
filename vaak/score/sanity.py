"""Sanity of generated speech from its codes and its energy (SPEC E3): what goes wrong before words do.

Every function takes one item and answers for the empty one too; rates over a corpus are means over items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_FRAME_S = 0.02
# A frame is speech when it is louder than -50 dB of full scale and within 35 dB of the loud frames of its wave.
_FLOOR_DB = -50.0
_RANGE_DB = 35.0


def stop_rate(stopped: Sequence[bool]) -> float:
    """Share of items that ended with the stop token; nan without items."""
    return float(np.mean(stopped)) if len(stopped) else float("nan")


def duration_ratio(generated: int, target: int) -> float:
    """Generated over target length in codes; nan when the target is empty. 1.0 is right, 0.0 said nothing."""
    return generated / target if target else float("nan")


def repeat_rate(codes: np.ndarray) -> float:
    """Share of codes equal to the code before them (consecutive repeats): codes int[n]; 0.0 below two codes."""
    codes = np.asarray(codes)
    return float(np.mean(codes[1:] == codes[:-1])) if len(codes) > 1 else 0.0


def loop_share(codes: np.ndarray, max_period: int = 16, copies: int = 4) -> float:
    """Largest share of `codes` (int[n]) that lies in a run where one pattern of 1 to `max_period` codes repeats `copies` times or more."""
    codes = np.asarray(codes)
    worst = 0
    for period in range(1, max_period + 1):
        if len(codes) < period * copies:
            break
        same = np.concatenate([[False], codes[period:] == codes[:-period], [False]])
        edges = np.flatnonzero(np.diff(same.astype(np.int8)))
        runs = edges[1::2] - edges[::2]
        long_runs = runs[runs >= period * (copies - 1)]
        worst = max(worst, int((long_runs + period).sum()))
    return min(1.0, worst / len(codes)) if len(codes) else 0.0


def frame_levels(wave: np.ndarray, rate: int) -> np.ndarray:
    """RMS in dB of full scale of frames of 20 ms: float64[n], the remainder left out; -120 for digital silence."""
    size = max(1, int(rate * _FRAME_S))
    wave = np.nan_to_num(np.asarray(wave, dtype=np.float64).reshape(-1))
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    return 10 * np.log10((frames**2).mean(1) + 1e-12) if len(frames) else np.zeros(0)


def speech_share(wave: np.ndarray, rate: int) -> float:
    """Share of 20 ms frames with energy like speech: above -50 dBFS and within 35 dB of the 95th percentile; 0.0 if empty."""
    levels = frame_levels(wave, rate)
    if not len(levels):
        return 0.0
    return float(np.mean(levels > max(_FLOOR_DB, float(np.quantile(levels, 0.95)) - _RANGE_DB)))


def silence_share(wave: np.ndarray, rate: int) -> float:
    """1 - `speech_share`: 1.0 for an empty or silent wave."""
    return 1.0 - speech_share(wave, rate)
