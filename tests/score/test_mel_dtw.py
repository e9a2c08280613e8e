"""Mel-cepstral distance under warping: against the textbook's recursion, and in what it must and must not notice."""

import time

import numpy as np
import pytest

from vaak.score.mel_dtw import mel_dtw, warped_mean

RATE = 16000


def textbook(cost: np.ndarray) -> float:
    """Sakoe and Chiba's symmetric recursion, cell by cell."""
    n, m = cost.shape
    g = np.full((n + 1, m + 1), np.inf)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            c = cost[i - 1, j - 1]
            start = 2 * c if i == j == 1 else np.inf
            g[i, j] = min(start, g[i - 1, j] + c, g[i, j - 1] + c, g[i - 1, j - 1] + 2 * c)
    return g[n, m] / (n + m)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (5, 12), (12, 5), (20, 20)])
def test_the_diagonals_give_what_the_recursion_gives(shape):
    rng = np.random.default_rng(sum(shape))
    for _ in range(5):
        cost = rng.exponential(size=shape)
        assert warped_mean(cost) == pytest.approx(textbook(cost))


def syllables(seed: int, n: int = 8, seconds: float = 0.2, tilt: float = 1.0) -> np.ndarray:
    """Noise whose spectrum changes every `seconds`, like syllables; float32 at 16 kHz."""
    rng, texture = np.random.default_rng(seed), np.random.default_rng(99)
    parts = []
    for _ in range(n):
        low = rng.uniform(200, 5000)
        size = int(seconds * RATE)
        spectrum = np.fft.rfft(texture.standard_normal(size))
        hertz = np.fft.rfftfreq(size, 1 / RATE)
        parts.append(np.fft.irfft(spectrum * np.exp(-(((hertz - low) / (600 * tilt)) ** 2)), size))
    wave = np.concatenate(parts)
    return (0.1 * wave / np.abs(wave).max()).astype(np.float32)


def test_one_sound_is_no_distance_whatever_its_loudness():
    wave = syllables(1)
    assert mel_dtw(wave, wave, RATE) == pytest.approx(0.0, abs=1e-6)
    assert mel_dtw(0.2 * wave, wave, RATE) < 0.1


def test_a_slower_tempo_costs_little_and_other_syllables_much():
    wave = syllables(1)
    slower, other = mel_dtw(syllables(1, seconds=0.26), wave, RATE), mel_dtw(syllables(2), wave, RATE)
    assert slower < 0.5 * other


@pytest.mark.parametrize("nothing", [np.zeros(0), np.zeros(RATE), np.full(100, 0.1)], ids=["empty", "silent", "short"])
def test_nothing_is_further_away_than_other_syllables(nothing):
    wave = syllables(1)
    assert mel_dtw(nothing.astype(np.float32), wave, RATE) > mel_dtw(syllables(2), wave, RATE)
    assert np.isnan(mel_dtw(wave, nothing.astype(np.float32), RATE))


def test_ten_seconds_against_ten_take_less_than_a_second():
    cost = np.random.default_rng(0).random((1000, 1000))
    began = time.process_time()
    warped_mean(cost)
    assert time.process_time() - began < 1.0
