"""Files in and out."""

import numpy as np
import pytest
import soundfile

from vaak.codec.audio import check_wave, read_audio, write_audio
from vaak.errors import BadInput


def tone(rate: int, seconds: float = 0.5, hz: float = 440) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def test_a_file_comes_back_as_it_was_written(tmp_path):
    wave = tone(16000)
    write_audio(tmp_path / "a.wav", wave, 16000)
    assert np.abs(read_audio(tmp_path / "a.wav") - wave).max() < 1e-4  # 16 bits


def test_two_channels_at_44100_become_one_at_16000(tmp_path):
    stereo = np.stack([tone(44100), np.zeros(22050, np.float32)], axis=1)
    soundfile.write(tmp_path / "s.flac", stereo, 44100)
    wave = read_audio(tmp_path / "s.flac")
    assert wave.dtype == np.float32 and abs(len(wave) - 8000) <= 1
    assert np.abs(wave[1000:-1000] - 0.5 * tone(16000)[1000 : len(wave) - 1000]).max() < 1e-2


def test_what_is_no_audio_is_refused_by_name(tmp_path):
    (tmp_path / "words.wav").write_text("not audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16000)
    for name in ("words.wav", "empty.wav", "missing.wav"):
        with pytest.raises(BadInput, match=name):
            read_audio(tmp_path / name)
    with pytest.raises(BadInput, match="nowhere"):
        write_audio(tmp_path / "nowhere" / "a.wav", tone(16000), 16000)


NO_WAVES = {
    "empty": np.zeros(0, np.float32),
    "not a number": np.array([0.0, np.nan], np.float32),
    "infinite": np.array([np.inf], np.float32),
    "two rows": np.zeros((2, 100), np.float32),
    "integers": np.zeros(100, np.int16),
}


@pytest.mark.parametrize("wave", NO_WAVES.values(), ids=NO_WAVES.keys())
def test_a_wave_must_be_one_row_of_finite_floats(wave):
    with pytest.raises(BadInput):
        check_wave(wave)
