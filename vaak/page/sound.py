"""Sound inside a page: players whose audio is in the file itself, and spectrograms as small pictures.

No drawing library: a log-mel spectrogram is one FFT, and a PNG is a header and a zlib stream.
"""

from __future__ import annotations

import base64
import io
import math
import struct
import zlib
from functools import cache

import numpy as np
import soundfile
import soxr
from markupsafe import Markup

# What MPEG layer III can hold; other rates are resampled to the next one up.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_COLUMNS, _BANDS, _LEVELS = 320, 96, 64
# Decibels below a full-scale sine that the picture shows. Fixed, not per sound: silence stays dark.
_FLOOR_DB, _CEILING_DB = -95.0, -15.0
_TOP_HZ = 8000.0


def player(wave: np.ndarray, rate: int, label: str) -> Markup:
    """A player of `wave` (float [T], full scale ±1, `rate` Hz) with its label as text and for screen readers.

    The sound is MP3 (libsndfile 1.1 or newer), else Ogg Vorbis, else 16-bit WAV. A wave without samples gives a line that says so.
    """
    return Markup('<figure class="player"><figcaption>{}</figcaption>{}</figure>').format(
        label, _audio(wave, rate, label)
    )


def sound(wave: np.ndarray, rate: int, label: str, note: str = "") -> Markup:
    """A player with the spectrogram of the same sound under it, and a note under both: players in a row stay in line."""
    picture = spectrogram(wave, rate, label) if len(wave) else ""
    below = Markup('<p class="quiet">{}</p>').format(note) if note else ""
    return Markup('<figure class="player"><figcaption>{}</figcaption>{}{}{}</figure>').format(
        label, _audio(wave, rate, label), picture, below
    )


def _audio(wave: np.ndarray, rate: int, label: str) -> Markup:
    if len(wave) == 0:
        return Markup('<p class="quiet">No sound: it is empty.</p>')
    kind, data = encoded(wave, rate)
    form = '<audio controls preload="metadata" aria-label="{}" src="data:{};base64,{}"></audio>'
    return Markup(form).format(label, kind, base64.b64encode(data).decode())


def encoded(wave: np.ndarray, rate: int) -> tuple[str, bytes]:
    """(MIME type, file) of a wave, in the smallest form that this machine's libsndfile writes. NaN becomes silence."""
    clean = np.clip(np.nan_to_num(np.asarray(wave, np.float32)), -1.0, 1.0)
    formats = soundfile.available_formats()
    if "MP3" in formats:
        target = next((known for known in _MP3_RATES if known >= rate), _MP3_RATES[-1])
        clean, rate = (clean if target == rate else soxr.resample(clean, rate, target)), target
        mime, container, subtype = "audio/mpeg", "MP3", "MPEG_LAYER_III"
    elif "OGG" in formats:
        mime, container, subtype = "audio/ogg", "OGG", "VORBIS"
    else:
        mime, container, subtype = "audio/wav", "WAV", "PCM_16"
    file = io.BytesIO()
    soundfile.write(file, clean, rate, format=container, subtype=subtype)
    return mime, file.getvalue()


def spectrogram(wave: np.ndarray, rate: int, label: str = "") -> Markup:
    """A log-mel spectrogram of `wave` (float [T], `rate` Hz) up to 8 kHz as an `<img>`; time runs to the right."""
    picture = _png(log_mel(wave, rate))
    top = min(_TOP_HZ, rate / 2)
    words = f"Spectrogram of {label or 'the sound'}: {len(wave) / rate:.2f} s, up to {top / 1000:g} kHz"
    form = '<img alt="{}" title="{}" width="{}" height="{}" src="data:image/png;base64,{}">'
    return Markup(form).format(words, words, _COLUMNS, _BANDS, base64.b64encode(picture).decode())


def log_mel(wave: np.ndarray, rate: int) -> np.ndarray:
    """float32 [bands, columns] in decibels re a full-scale sine; band 0 is the lowest; at most 320 columns, else 10 ms each."""
    wave = np.nan_to_num(np.asarray(wave, np.float32))
    hop = max(rate // 100, math.ceil(len(wave) / _COLUMNS))
    # 32 ms windows; longer ones where a column covers more, so that no sound falls between two columns.
    size = 1 << math.ceil(math.log2(max(0.032 * rate, hop)))
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.pad(wave, (size // 2, size))
    starts = np.arange(0, max(1, len(wave)), hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * window
    power = (np.abs(np.fft.rfft(frames, axis=1)) / (window.sum() / 2)) ** 2
    bands = power @ _mel_weights(rate, size)
    return (10.0 * np.log10(np.maximum(bands, 1e-12))).T.astype(np.float32)


@cache
def _mel_weights(rate: int, size: int) -> np.ndarray:
    """[size/2+1, bands]: triangles evenly spaced on the HTK mel scale (2595 log10(1 + f/700)), each summing to one."""
    top = 2595 * math.log10(1 + min(_TOP_HZ, rate / 2) / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1)
    hertz = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    # Low triangles are narrower than one FFT bin and may hit none: they take the nearest bin.
    empty = np.flatnonzero(weights.sum(axis=0) == 0)
    weights[np.abs(hertz - edges[1:-1][empty]).argmin(axis=0), empty] = 1.0
    return weights / weights.sum(axis=0)


def _png(decibels: np.ndarray) -> bytes:
    """An 8-bit palette PNG of [bands, columns] with band 0 at the bottom."""
    share = (decibels - _FLOOR_DB) / (_CEILING_DB - _FLOOR_DB)
    pixels = np.clip(share * (_LEVELS - 1), 0, _LEVELS - 1).astype(np.uint8)[::-1]
    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # filter 0 before each row

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = (
        chunk(b"IHDR", header) + chunk(b"PLTE", palette().tobytes()) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    )
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@cache
def palette() -> np.ndarray:
    """uint8 [64, 3]: from near black through violet and orange to pale yellow, lightness even in OKLab (Ottosson 2020)."""
    share = np.linspace(0, 1, _LEVELS)
    lightness = 0.13 + 0.84 * share
    chroma = 0.03 + 0.15 * np.sin(np.pi * share) ** 0.8
    hue = np.radians(285 + 180 * share)
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cone = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_rgb = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = np.clip(np.array(to_rgb) @ cone**3, 0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * gamma.T).astype(np.uint8)
