"""Recordings as they come: parts of long files, other rates and channels, files that break off."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
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


def test_an_original_that_went_or_was_damaged_since_it_was_read_is_set_aside(tmp_path):
    """It is read twice, and a disk that others share does not stand still."""
    for start in (None, 500):
        path = tmp_path / "a.wav"
        soundfile.write(path, sweep(1, 16000), 16000)
        assert Recordings().original(item(path, start))[1] == (".flac" if start else ".wav")
        path.write_bytes(b"no sound")
        if start:
            with pytest.raises(SetAside, match="original cannot be kept"):
                Recordings().original(item(path, start))
        path.unlink()
        with pytest.raises(SetAside, match="does not exist"):
            Recordings().original(item(path, start))


def test_a_suffix_that_is_none_of_audio_is_that_of_the_format(tmp_path):
    path = tmp_path / ("a." + "x" * 200)
    soundfile.write(path, sweep(1, 16000), 16000, format="FLAC")
    assert Recordings().original(item(path))[1] == ".flac"


@pytest.mark.parametrize("outside", ["../secret.wav", "below/../../secret.wav", "absolute"])
def test_a_data_set_brings_no_file_from_outside_its_folder(tmp_path, outside):
    (tmp_path / "data" / "below").mkdir(parents=True)
    soundfile.write(tmp_path / "secret.wav", sweep(1, 16000), 16000)
    named = str(tmp_path / "secret.wav") if outside == "absolute" else outside
    table = pa.table({"audio": [{"bytes": None, "path": named}, {"bytes": None, "path": "below/own.wav"}]})
    pq.write_table(table, tmp_path / "data" / "one.parquet")
    (tmp_path / "data" / "below" / "own.wav").symlink_to(tmp_path / "secret.wav")
    rows = [AudioItem(tmp_path / "data" / "one.parquet", Sample("a", "street", "en"), "row", i) for i in (0, 1)]
    for read in (lambda one: Recordings().read(one, 16000), Recordings().original):
        with pytest.raises(SetAside, match="is outside") as raised:
            read(rows[0])
        assert raised.value.kind == "missing"
        read(rows[1])
