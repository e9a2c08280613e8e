"""Recordings as they come: parts of long files, other rates and channels, files that break off."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from vaak.codec import read_audio
from vaak.corpus.lists import AudioItem
from vaak.corpus.recordings import Recordings, SetAside
from vaak.corpus.samples import Sample


def item(path, start_ms=None, end_ms=None) -> AudioItem:
    return AudioItem(path, Sample("a", "street", "en", start_ms=start_ms, end_ms=end_ms), "row 1")


def sweep(seconds: float, rate: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * (200 + 400 * time / seconds) * time)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_part_of_a_file_is_that_part_of_the_whole(tmp_path, suffix, rate):
    """Only the part is decoded, wherever it lies; at its ends the resampler hears nothing of its neighbours."""
    path = tmp_path / f"long{suffix}"
    soundfile.write(path, sweep(6, rate), rate)
    whole = read_audio(path)
    wave, own_rate = Recordings().read(item(path, 2500, 4000), 16000)
    assert (len(wave), own_rate) == (24000, rate)
    inside = slice(400, -400)
    assert np.abs(wave[inside] - whole[40000:64000][inside]).max() < 2e-3


def test_channels_are_averaged(tmp_path):
    left, right = sweep(1, 16000), np.zeros(16000)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), 16000)
    wave, _ = Recordings().read(item(tmp_path / "two.wav"), 16000)
    assert np.abs(wave - left / 2).max() < 1e-3


def broken_flac(path):
    soundfile.write(path, sweep(5, 16000), 16000, format="FLAC")
    path.write_bytes(path.read_bytes()[:20_000])


def not_finite(path):
    soundfile.write(path, np.full(16000, np.nan, np.float32), 16000, format="WAV", subtype="FLOAT")


def an_hour_and_more(path):
    soundfile.write(path, np.zeros(3601 * 1000, np.float32), 1000, format="WAV", subtype="PCM_U8")


def empty(path):
    soundfile.write(path, np.zeros(0, np.float32), 16000, format="WAV")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (broken_flac, "unreadable"),
        (not_finite, "unreadable"),
        (an_hour_and_more, "too long"),
        (empty, "too short"),
        (lambda path: path.write_bytes(b""), "unreadable"),
        (lambda path: path.mkdir(), "missing"),
    ],
)
def test_what_holds_no_speech_is_set_aside_by_kind(tmp_path, make, kind):
    make(tmp_path / "a.audio")
    with pytest.raises(SetAside) as raised:
        Recordings().read(item(tmp_path / "a.audio"), 16000)
    assert raised.value.kind == kind and raised.value.detail


@pytest.mark.parametrize(("start_ms", "end_ms", "kind"), [(0, 1300, "segment outside"), (1200, None, "too short")])
def test_a_part_that_is_not_in_the_file(tmp_path, start_ms, end_ms, kind):
    soundfile.write(tmp_path / "a.wav", sweep(1, 16000), 16000)
    with pytest.raises(SetAside) as raised:
        Recordings().read(item(tmp_path / "a.wav", start_ms, end_ms), 16000)
    assert raised.value.kind == kind
