"""The detector hears voices and nothing else, the same each time, and is missed without harm."""

import numpy as np
import pytest
import soundfile

import vaak.demo
from vaak.score import packaged_network, voice_activity
from vaak.score.sanity import speech_share
from vaak.score.voice_activity import voice_probabilities, voice_share

RATE = 16000


@pytest.fixture
def speech() -> np.ndarray:
    place = sorted((vaak.demo.corpus_folder() / "audio").glob("en-*.ogg"))[0]
    wave, rate = soundfile.read(place, dtype="float32")
    assert rate == RATE
    return wave


@pytest.fixture
def detector():
    if voice_activity._network() is None:
        pytest.skip("faster-whisper or onnxruntime is not installed (pip install vaak[asr])")


def test_speech_is_heard_where_it_is(detector, speech):
    silence = np.zeros(4 * RATE, np.float32)
    heard = voice_probabilities(np.concatenate([silence, speech, silence]), RATE)
    assert heard is not None
    first, last = 4 * RATE // 512, (4 * RATE + len(speech)) // 512
    assert heard[: first - 10].max() < 0.5 and heard[last + 20 :].max() < 0.5
    assert np.mean(heard[first:last] >= 0.5) > 0.7


def test_what_has_energy_is_not_always_a_voice(detector, speech):
    noise = (0.1 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)
    hum = (0.3 * np.sin(np.arange(3 * RATE) * 2 * np.pi * 50 / RATE)).astype(np.float32)
    for wave in (noise, hum, np.full(3 * RATE, 0.2, np.float32)):
        assert speech_share(wave, RATE) == 1.0 and (voice_share(wave, RATE) or 0.0) < 0.02
    assert (voice_share(speech, RATE) or 0.0) > 0.7


def test_windows_rates_and_the_empty_wave(detector, speech):
    for length, windows in ((0, 0), (1, 1), (512, 1), (513, 2), (RATE, 32)):
        heard = voice_probabilities(speech[:length], RATE)
        assert heard is not None and len(heard) == windows
    assert voice_share(speech[:0], RATE) == 0.0 and voice_share(np.zeros(RATE), RATE) == 0.0
    assert voice_share(np.repeat(speech, 2), 2 * RATE) == pytest.approx(voice_share(speech, RATE), abs=0.1)
    assert voice_share(np.append(speech, np.float32("nan")), RATE) == pytest.approx(voice_share(speech, RATE), abs=0.02)


def test_one_wave_has_one_figure(detector, speech):
    heard = [voice_probabilities(speech, RATE) for _ in range(3)]
    assert all(np.array_equal(heard[0], again) for again in heard if heard[0] is not None and again is not None)


def test_without_the_wheel_there_is_no_figure(monkeypatch):
    monkeypatch.setattr(packaged_network.importlib.util, "find_spec", lambda name: None)
    voice_activity._network.cache_clear()
    try:
        assert voice_share(np.ones(RATE), RATE) is None and voice_probabilities(np.ones(RATE), RATE) is None
    finally:
        voice_activity._network.cache_clear()
