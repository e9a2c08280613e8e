"""What the gates of the reward measure of a sample beside its sanity: how loud it is, and how much of it is copied.

Both look at codes and samples alone; no network hears them.
"""

from __future__ import annotations

import numpy as np

from vaak.score.sanity import frame_levels

# A run of this many equal codes is no chance: a codebook has hundreds of codes or more.
_RUN = 4
# How many codes earlier or later a copy may stand: a quarter of a second at 50 codes a second.
_SHIFT = 12


def level_db(wave: np.ndarray, rate: int) -> float:
    """Level of the loud frames of `wave` (float[T]): 95th percentile of its 20 ms frames, dB of full scale; -120.0 if empty."""
    levels = frame_levels(wave, rate)
    return float(np.quantile(levels, 0.95)) if len(levels) else -120.0


def copied_share(codes: np.ndarray, reference: np.ndarray) -> float:
    """How much of `codes` (int[n]) is a copy of `reference` (int[m]): the larger of two shares of them; 0.0 if empty.

    One is of codes equal to the reference's at the best shift of up to 12 codes, which finds a copy of which many codes were changed;
    the other of codes in equal runs of 4 or more at any of these shifts, so that a code left out or put in hides nothing. Sound
    that was copied and encoded anew has other codes: of the example's recordings decoded and encoded again .36 to .82 are equal.
    """
    codes, reference = np.asarray(codes).astype(np.int64), np.asarray(reference).astype(np.int64)
    in_runs, most = np.zeros(len(codes), bool), 0
    for shift in range(-_SHIFT, _SHIFT + 1):
        first, last = max(0, -shift), min(len(codes), len(reference) - shift)
        if last <= first:
            continue
        same = codes[first:last] == reference[first + shift : last + shift]
        most = max(most, int(same.sum()))
        if len(same) >= _RUN:
            starts = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(same, _RUN).all(1))
            for offset in range(_RUN):
                in_runs[first + starts + offset] = True
    return max(most, int(in_runs.sum())) / len(codes) if len(codes) else 0.0
