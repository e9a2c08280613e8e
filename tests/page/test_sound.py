"""Players hold their sound, spectrograms show it."""

from __future__ import annotations

import base64
import io
import re
import zlib

import numpy as np
import pytest
import soundfile

from vaak.page import player, sound, spectrogram
from vaak.page.sound import encoded, log_mel, palette


def tone(hertz: float, seconds: float = 1.0, rate: int = 16000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 24000, 19_999])
def test_a_player_holds_the_sound_that_it_was_given(rate):
    mime, data = encoded(tone(440, rate=rate), rate)
    wave, back_rate = soundfile.read(io.BytesIO(data))
    assert abs(len(wave) / back_rate - 1.0) < 0.12  # MP3 frames pad both ends
    spectrum = np.abs(np.fft.rfft(wave))
    assert abs(spectrum.argmax() * back_rate / len(wave) - 440) < 5
    assert mime == "audio/mpeg" or "MP3" not in soundfile.available_formats()


@pytest.mark.parametrize("known,mime", [(["OGG", "WAV"], "audio/ogg"), (["WAV"], "audio/wav")])
def test_older_sound_libraries_fall_back(monkeypatch, known, mime):
    monkeypatch.setattr(soundfile, "available_formats", lambda: known)
    kind, data = encoded(tone(440), 16000)
    assert kind == mime and len(soundfile.read(io.BytesIO(data))[0]) == 16000


def test_a_player_is_labelled_and_bad_samples_do_not_break_it():
    wave = tone(300)
    wave[10:20] = np.nan
    wave[30] = np.inf
    html = player(wave, 16000, 'Asha, "a" <woman>')
    assert 'aria-label="Asha, &#34;a&#34; &lt;woman&gt;"' in html and "data:audio/" in html
    assert "No sound: it is empty." in sound(np.zeros(0, np.float32), 16000, "nothing")


def test_a_spectrogram_is_a_small_picture_that_other_software_opens():
    from matplotlib import image

    html = spectrogram(tone(1000, 2.5), 16000, "a tone")
    data = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])  # type: ignore[index]
    picture = image.imread(io.BytesIO(data), format="png")
    assert picture.shape[:2] == (96, 250) and len(data) < 20_000
    assert 'alt="Spectrogram of a tone: 2.50 s, up to 8 kHz"' in html
    assert zlib.crc32(data[-8:-4]) == int.from_bytes(data[-4:], "big")


def test_a_tone_is_one_bright_line_and_higher_is_further_up():
    rows = [log_mel(tone(hertz), 16000)[:, 20:80].mean(axis=1) for hertz in (200, 1000, 4000)]
    peaks = [int(row.argmax()) for row in rows]
    assert peaks == sorted(peaks) and len(set(peaks)) == 3
    assert all(row.max() > -25 and np.median(row) < -70 for row in rows)
    assert log_mel(np.zeros(16000, np.float32), 16000).max() < -100


@pytest.mark.parametrize("samples,rate", [(1, 16000), (100, 16000), (16000 * 60, 16000), (24000, 24000)])
def test_any_length_gives_at_most_320_columns(samples, rate):
    assert log_mel(np.ones(samples, np.float32), rate).shape[1] <= 320


def test_lightness_of_the_palette_only_grows():
    luminance = (palette() / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


def test_a_note_stands_under_the_sound_and_is_no_part_of_its_name():
    html = sound(np.zeros(1600, np.float32), 16000, "step 100", "WER 0.50 <b>")
    assert html.endswith('<p class="quiet">WER 0.50 &lt;b&gt;</p></figure>') and 'aria-label="step 100"' in html
