"""Sanity of generated speech from its codes and its energy (SPEC E3): what goes wrong before words do.

Every function takes one item and answers for the empty one too; rates over a corpus are means over items. `LIMITS` says
from where on an item has failed, `failures` and `failure_rates` apply it. Voice by a network is in
`vaak.score.voice_activity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vaak.errors import BadInput

FRAME_S = 0.02
# A frame is speech when it is louder than -50 dB of full scale and within 35 dB of the loud frames of its wave.
_FLOOR_DB = -50.0
_RANGE_DB = 35.0
# A wave with less speech than this is silence: nothing is transcribed, and it has the worst of every score.
MIN_SPEECH_SHARE = 0.02
# Speech has pauses, and still an item has failed of which more than this is silence.
SILENT = 0.9
# Least and most that an item may have. The example's 442 held-out recordings, undamaged speech of three engines, reach
# .207 repeats, .175 repeated 4-grams, .185 in loops, and have at least .71 speech by energy and .72 by voice.
LIMITS: dict[str, tuple[float, float]] = {
    "stopped": (1, 1),
    "truncated": (0, 0),
    "duration_ratio": (0.5, 2.0),
    "repeat_rate": (0, 0.3),
    "ngram_repetition": (0, 0.3),
    "loop_share": (0, 0.3),
    "speech_share": (1 - SILENT, 1),
    "voice_share": (1 - SILENT, 1),
    "invalid_rate": (0, 0),
    "crashed": (0, 0),
}


def stop_rate(stopped: Sequence[bool]) -> float:
    """Share of items that ended with the stop token; nan without items."""
    return float(np.mean(stopped)) if len(stopped) else float("nan")


def stop_failure_rate(stopped: Sequence[bool]) -> float:
    """Share of items without the stop token, for whatever reason (a limit, a crash): 1 - `stop_rate`; nan without items."""
    return 1.0 - stop_rate(stopped)


def is_truncated(stopped: bool, codes: int, limit: int) -> bool:
    """Whether the limit of `limit` codes cut an item off: no stop token, and that many of its `codes`.

    An item that ended otherwise (a crash, an empty one) is a stop failure and not truncated; so is one with a limit of 0.
    """
    return not stopped and codes >= limit > 0


def duration_ratio(generated: int, target: int) -> float:
    """Generated over target length in codes; nan when the target is empty. 1.0 is right, 0.0 said nothing."""
    return generated / target if target else float("nan")


def repeat_rate(codes: np.ndarray) -> float:
    """Share of codes equal to the code before them (consecutive repeats): codes int[n]; 0.0 below two codes."""
    codes = np.asarray(codes)
    return float(np.mean(codes[1:] == codes[:-1])) if len(codes) > 1 else 0.0


def ngram_repetition(codes: np.ndarray, n: int = 4) -> float:
    """1 - distinct / all n-grams of `codes` (int[T]): the share that was there before; 0.0 below n + 1 codes.

    It sees phrases that come again with something between, which are no loops; a run of one code counts as well.
    """
    codes = np.asarray(codes)
    if len(codes) <= n:
        return 0.0
    grams = np.lib.stride_tricks.sliding_window_view(codes, n)
    return 1.0 - len(np.unique(grams, axis=0)) / len(grams)


def invalid_rate(ids: np.ndarray, valid: range) -> float:
    """Share of generated `ids` (int[T], without the stop token) that are no codes, which are `valid`; 0.0 for none.

    With a `Vocabulary` they are `range(vocabulary.first_speech_id, vocabulary.size)`.
    """
    ids = np.asarray(ids)
    return float(np.mean((ids < valid.start) | (ids >= valid.stop))) if len(ids) else 0.0


def is_unplayable(wave: np.ndarray, codes: int) -> bool:
    """Whether decoding `codes` codes gave no sound to hear: an empty `wave` (float[T]), or samples that are not finite.

    With what raised instead of giving a wave these are the decode crashes. Without codes there was nothing to decode.
    """
    wave = np.asarray(wave)
    return codes > 0 and (wave.size == 0 or not bool(np.isfinite(wave).all()))


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
    size = max(1, int(rate * FRAME_S))
    wave = np.nan_to_num(np.asarray(wave, dtype=np.float64).reshape(-1))
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    return 10 * np.log10((frames**2).mean(1) + 1e-12) if len(frames) else np.zeros(0)


def speech_frames(wave: np.ndarray, rate: int) -> np.ndarray:
    """Which 20 ms frames have energy like speech: bool[n]; above -50 dBFS and within 35 dB of the 95th percentile."""
    levels = frame_levels(wave, rate)
    if not len(levels):
        return np.zeros(0, bool)
    return levels > max(_FLOOR_DB, float(np.quantile(levels, 0.95)) - _RANGE_DB)


def speech_share(wave: np.ndarray, rate: int) -> float:
    """Share of frames that are `speech_frames`; 0.0 if empty."""
    frames = speech_frames(wave, rate)
    return float(np.mean(frames)) if len(frames) else 0.0


def silence_share(wave: np.ndarray, rate: int) -> float:
    """1 - `speech_share`: 1.0 for an empty or silent wave."""
    return 1.0 - speech_share(wave, rate)


def failures(item: Mapping[str, float | None]) -> list[str]:
    """The metrics of `item` (name -> value) that are beyond their `LIMITS`, in the order of these.

    None (not measured: no detector installed) and nan (nothing to measure: no target length) fail nothing. Raises
    `BadInput` for a metric without a limit.
    """
    unknown = sorted(set(item) - set(LIMITS))
    if unknown:
        raise BadInput(f"{', '.join(unknown)} has no limit of sanity; use {', '.join(LIMITS)}")
    return [name for name in LIMITS if _is_measured(item.get(name)) and not _is_within(name, item[name] or 0.0)]


def failure_rates(items: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """Metric -> share of the items that fail it, of those that have it; nan where none has. In the order of `LIMITS`."""
    failed = [failures(item) for item in items]
    rates = {}
    for name in LIMITS:
        measured = [name in names for item, names in zip(items, failed, strict=True) if _is_measured(item.get(name))]
        rates[name] = float(np.mean(measured)) if measured else float("nan")
    return rates


def _is_measured(value: float | None) -> bool:
    return value is not None and not np.isnan(value)


def _is_within(name: str, value: float) -> bool:
    low, high = LIMITS[name]
    return low <= value <= high
