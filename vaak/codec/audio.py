"""Audio files to mono waves and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

from vaak.errors import BadInput


def read_audio(path: str | Path, rate: int = 16000) -> np.ndarray:
    """The file as one channel at `rate` Hz: float32[T], channels averaged, resampled by soxr's high quality.

    Raises `BadInput` for a file that is missing, unreadable, empty, or holds NaN or infinity.
    """
    try:
        frames, file_rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as audio ({error}); give a WAV, FLAC, Ogg or MP3 file") from error
    return resample(check_wave(frames.mean(axis=1), str(path)), file_rate, rate)


def write_audio(path: str | Path, wave: np.ndarray, rate: int) -> None:
    """Writes a mono wave in [-1, 1] (what is outside is clipped); the suffix chooses the format. WAV is 16-bit."""
    wave = np.clip(check_wave(wave, str(path)), -1.0, 1.0)
    try:
        soundfile.write(str(path), wave, rate)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: cannot be written as audio ({error}); use a folder that exists and .wav") from error


def resample(wave: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """float32[T] at `rate` to float32[about T * to_rate / rate]; the same array where the rates agree."""
    return wave if rate == to_rate else soxr.resample(wave, rate, to_rate, quality="HQ").astype(np.float32)


def check_wave(wave: np.ndarray, name: str = "the wave") -> np.ndarray:
    """The wave as contiguous float32[T]; `BadInput` where it is not one-dimensional, is empty, or is not finite."""
    array = np.asarray(wave)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.floating):
        raise BadInput(f"{name}: expected one channel of floating-point samples, got {array.dtype}{list(array.shape)}")
    if array.size == 0:
        raise BadInput(f"{name}: has no samples; leave empty audio out of the list")
    if not np.isfinite(array).all():
        raise BadInput(f"{name}: holds NaN or infinity; export the audio again")
    return np.ascontiguousarray(array, dtype=np.float32)
