"""The pitch tracker against waves whose pitch is known."""

import numpy as np
import pytest

from vaak.codec.pitch import fill_unvoiced, pulse_train, track_pitch


@pytest.mark.parametrize("hz", [80, 120, 210, 390])
def test_the_pitch_of_a_pulse_train_is_found(hz):
    f0, voiced = track_pitch(pulse_train(np.full(100, hz, np.float32), np.ones(100, bool)) * 0.1)
    assert voiced[5:-5].all() and np.abs(f0[5:-5] / hz - 1).max() < 0.01


def test_noise_and_silence_are_not_voiced():
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 0.1
    assert track_pitch(noise)[1].mean() < 0.1
    f0, voiced = track_pitch(np.zeros(16000, np.float32))
    assert not voiced.any() and np.isfinite(f0).all()


def test_the_pulse_train_has_unit_power_where_voiced_and_is_silent_elsewhere():
    voiced = np.arange(100) < 50
    pulses = pulse_train(np.linspace(100, 250, 100).astype(np.float32), voiced)
    assert np.square(pulses[:7000]).mean() == pytest.approx(1.0, rel=0.05)
    assert np.abs(pulses[8200:]).max() == 0


def test_gaps_are_bridged():
    voiced = np.array([False, True, False, True, False])
    assert fill_unvoiced(np.array([0, 100, 0, 200, 0]), voiced).tolist() == [100, 100, 150, 200, 200]


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 500])
def test_waves_shorter_than_a_window(samples):
    f0, voiced = track_pitch(np.ones(samples, np.float32) * 0.1)
    assert len(f0) == len(voiced) == samples // 160
