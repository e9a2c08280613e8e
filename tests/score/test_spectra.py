"""The delay of a decoded wave and its spectral distance: known delays come back, and what nobody hears costs nothing."""

import numpy as np
import pytest

from vaak.score.spectra import delay, log_mel_distance, without_delay

RATE = 16000


@pytest.fixture(scope="module")
def wave():
    """Two seconds of noise with a slow level curve, like syllables; float32 at 16 kHz."""
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0.0, 1.0, 25) ** 2, RATE * 2 // 25)
    return (0.1 * level * rng.standard_normal(len(level))).astype(np.float32)


@pytest.fixture(scope="module")
def steady():
    return (0.05 * np.random.default_rng(2).standard_normal(RATE)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.045, -0.03])
def test_a_known_delay_is_found_and_taken_out(wave, seconds):
    shift = round(seconds * RATE)
    late = np.pad(wave, (shift, 0)) if shift >= 0 else wave[-shift:]
    assert delay(late, wave, RATE) == pytest.approx(seconds)
    back = without_delay(late, seconds, RATE, len(wave))
    assert len(back) == len(wave)
    inside = slice(1000, -1000)
    assert np.array_equal(back[inside], wave[inside])


def test_a_delay_is_found_where_no_phase_is_kept(wave):
    other = np.random.default_rng(1).standard_normal(len(wave)).astype(np.float32) * np.abs(wave)
    assert delay(np.pad(other, (480, 0)), wave, RATE) == pytest.approx(0.03, abs=0.0026)


def test_silence_and_a_short_wave_have_no_delay(wave):
    assert delay(np.zeros(RATE, np.float32), wave, RATE) == 0.0
    assert delay(wave[:100], wave, RATE) == 0.0


def test_the_same_sound_is_at_no_distance_whatever_its_loudness(wave):
    assert log_mel_distance(wave, wave, RATE) == 0.0
    assert log_mel_distance(wave * 0.3, wave, RATE) < 0.01
    assert log_mel_distance(wave[: RATE + 7], wave[:RATE], RATE) < 0.01  # the longer one's end does not count


def test_a_distance_in_dB_is_what_was_done_to_the_bands(steady):
    """Twice the amplitude, then half of it, brought to one RMS: so many dB up and so many down."""
    gains = np.where(np.arange(len(steady)) < len(steady) // 2, 2.0, 0.5).astype(np.float32)
    mean_power = (2.0**2 + 0.5**2) / 2
    wanted = 0.5 * abs(10 * np.log10(4 / mean_power)) + 0.5 * abs(10 * np.log10(0.25 / mean_power))
    assert log_mel_distance(steady * gains, steady, RATE) == pytest.approx(
        wanted, rel=0.03
    )  # the frames of the middle have both


def test_what_is_missing_above_the_telephone_band_can_be_left_out(steady):
    spectrum = np.fft.rfft(steady)
    spectrum[np.fft.rfftfreq(len(steady), 1 / RATE) > 3900] = 0
    narrow = np.fft.irfft(spectrum, len(steady)).astype(np.float32)
    assert log_mel_distance(narrow, steady, RATE) > 8
    assert log_mel_distance(narrow, steady, RATE, below_hz=3600) < 0.2


def test_nothing_to_compare_is_not_a_number(wave):
    assert np.isnan(log_mel_distance(np.zeros(RATE, np.float32), wave, RATE))
    assert np.isnan(log_mel_distance(wave[:300], wave, RATE))
