"""Spread of the pitch and speaking rate: known ones are found, and a voice on one note is far below a living one."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from tests.score.flat_voice import flattened
from tests.score.test_recognisers import TEXT, speak
from vaak.score.error_rate import written_units
from vaak.score.prosody import f0_spread, speaking_rate

RATE = 16000


def tone(base: float, semitones: float, seconds: float = 3.0) -> np.ndarray:
    """Five harmonics with a vibrato of five a second, `semitones` to either side."""
    at = np.arange(int(seconds * RATE)) / RATE
    hz = base * 2 ** (semitones / 12 * np.sin(2 * np.pi * 5 * at))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return np.sum([0.2 * np.sin(k * phase) / k for k in range(1, 6)], axis=0).astype(np.float32)


@pytest.mark.parametrize("base", [90, 220, 400])
@pytest.mark.parametrize("semitones", [0.0, 0.5, 1.0, 4.0])
def test_a_vibrato_has_its_depth_over_the_root_of_two(base, semitones):
    assert f0_spread(tone(base, semitones), RATE) == pytest.approx(semitones / np.sqrt(2), rel=0.03, abs=0.005)


def test_mistakes_of_an_octave_are_left_out():
    wave = np.concatenate([tone(200, 1.0), tone(400, 0.0, 0.2)])
    assert f0_spread(wave, RATE) == pytest.approx(1 / np.sqrt(2), abs=0.05)


def test_what_has_no_pitch_has_the_spread_of_one_note():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    for wave in (np.zeros(0, np.float32), np.zeros(RATE, np.float32), noise):
        assert f0_spread(wave, RATE) == 0.0


@pytest.mark.parametrize("voice", ["slt", "awb", "kal"])
def test_a_voice_on_one_note_is_far_below_the_same_voice(tmp_path, voice):
    wave = speak(tmp_path, voice)
    flat = flattened(wave)
    assert f0_spread(flat, RATE) < 0.5 * f0_spread(wave, RATE) and f0_spread(wave, RATE) > 0.8
    assert speaking_rate(TEXT, "en", flat, RATE) == pytest.approx(speaking_rate(TEXT, "en", wave, RATE), rel=0.02)


@pytest.mark.parametrize("times", [0.7, 1.5])
def test_speech_that_takes_so_many_times_as_long_is_so_many_times_slower(tmp_path, times):
    wave = speak(tmp_path, "slt")
    stretched = soxr.resample(wave, RATE, int(RATE * times)).astype(np.float32)
    rate = speaking_rate(TEXT, "en", wave, RATE)
    assert 8 < rate < 20
    assert speaking_rate(TEXT, "en", stretched, RATE) == pytest.approx(rate / times, rel=0.02)


def test_silence_around_speech_is_no_slowness_and_silence_alone_is_rate_zero():
    wave = tone(150, 1.0, 2.0)
    padded = np.pad(wave, RATE)
    assert speaking_rate("one two", "en", wave, RATE) == pytest.approx(3.0)
    assert speaking_rate("one two", "en", padded, RATE) == pytest.approx(3.0, rel=0.02)
    assert speaking_rate("one two", "en", np.zeros(RATE, np.float32), RATE) == 0.0


def test_units_are_letters_as_they_are_read_and_aksharas():
    assert len(written_units("5 cats", "en")) == len("fivecats")
    assert written_units("प्रेम है", "hi") == ["प्रे", "म", "है"]
