"""Each failure is triggered by one constructed case, and by none of the healthy ones."""

import numpy as np
import pytest

from vaak.score.sanity import duration_ratio, loop_share, repeat_rate, silence_share, speech_share, stop_rate

RATE = 16000


def tone(seconds=1.0, level=0.3):
    return (level * np.sin(np.arange(int(seconds * RATE)) * 0.1)).astype(np.float32)


def test_silence():
    assert silence_share(np.zeros(RATE, np.float32), RATE) == 1.0
    assert silence_share(np.zeros(0, np.float32), RATE) == 1.0
    assert silence_share(tone(level=0.001), RATE) == 1.0
    assert silence_share(tone(), RATE) == 0.0
    half = np.concatenate([tone(), np.zeros(RATE, np.float32)])
    assert speech_share(half, RATE) == pytest.approx(0.5, abs=0.02)


def test_repeats_and_loops():
    healthy = np.random.default_rng(0).integers(0, 4096, 300)
    assert repeat_rate(healthy) < 0.02 and loop_share(healthy) == 0.0
    assert repeat_rate(np.full(50, 7)) == 1.0
    for period in (1, 2, 5, 16):
        loop = np.tile(np.arange(period), 200 // period)
        assert loop_share(np.concatenate([healthy[:50], loop])) > 0.7
    assert repeat_rate(np.array([3])) == 0.0 and loop_share(np.array([], int)) == 0.0


def test_rates():
    assert stop_rate([True, True, False, True]) == 0.75
    assert np.isnan(stop_rate([]))
    assert duration_ratio(90, 100) == 0.9
    assert np.isnan(duration_ratio(3, 0))
