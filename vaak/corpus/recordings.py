"""One recording of a list as a wave, or the reason why there is none to encode."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile

from vaak.codec.audio import check_wave, resample
from vaak.corpus.lists import AUDIO_SUFFIXES, AudioItem
from vaak.corpus.parquet_lists import EmbeddedAudio
from vaak.errors import BadInput

# Shorter than this is no speech, and no codec frame of its own.
MIN_SECONDS = 0.1

# Longer than this is too much memory beside its neighbours; a list can name parts of it.
MAX_SECONDS = 3600

# Silent: no 20 ms frame reaches -60 dB of full scale.
SILENCE_RMS = 1e-3


class SetAside(Exception):
    """Why a recording is not encoded: a `kind` to count by and a sentence."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class Recordings:
    """Reads recordings from files and out of parquet, where it is quick if they are asked for in the list's order."""

    def __init__(self) -> None:
        self._embedded = EmbeddedAudio()

    def read(self, item: AudioItem, rate: int) -> tuple[np.ndarray, int]:
        """Mono samples at `rate` hertz, float32[T], of the item's part of its recording, and the recording's own rate.

        Only that part is decoded. Raises `SetAside` with one of a few kinds if there is no speech to be had.
        """
        try:
            with soundfile.SoundFile(self._source(item)[0]) as file:
                own_rate = int(file.samplerate)
                first, last = _range(item, own_rate, file.frames)
                frames = _decoded(file, first, last)
            if len(frames) < last - first - own_rate // 10:
                raise SetAside("unreadable", f"it breaks off after {len(frames) / own_rate:.1f} s")
            wave = resample(check_wave(frames.mean(axis=1), "the recording"), own_rate, rate)
        except (BadInput, OSError, RuntimeError, ValueError, TypeError) as error:
            raise SetAside("unreadable", str(error)) from error
        whole = wave[: len(wave) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
        if float(np.sqrt(np.square(whole).mean(axis=1)).max()) < SILENCE_RMS:
            raise SetAside("silent", "no 20 ms of it reach -60 dB of full scale")
        return wave, own_rate

    def original(self, item: AudioItem) -> tuple[bytes, str]:
        """The recording as it was and its suffix: the file's own bytes, or for a part of a file that part as FLAC.

        Raises `SetAside` if it went or was damaged since it was read.
        """
        try:
            source, suffix = self._source(item)
            if item.sample.end_ms is None and not item.sample.start_ms:
                data = Path(source).read_bytes() if isinstance(source, str) else source.getvalue()
                return data, suffix if suffix in AUDIO_SUFFIXES else _suffix_of(data)
            with soundfile.SoundFile(source) as file:
                first, last = _range(item, file.samplerate, file.frames)
                wave, rate = _decoded(file, first, last), file.samplerate
            buffer = io.BytesIO()
            soundfile.write(buffer, wave, rate, format="FLAC")
            return buffer.getvalue(), ".flac"
        except (BadInput, OSError, RuntimeError, ValueError, TypeError) as error:
            raise SetAside("unreadable", f"its original cannot be kept: {error}") from error

    def _source(self, item: AudioItem) -> tuple[str | io.BytesIO, str]:
        """What soundfile opens, and the suffix of its name."""
        path = item.path
        if item.embedded is not None:
            data, name = self._embedded.read(item.path, item.column, item.embedded)
            if data is not None:
                return io.BytesIO(data), Path(name or "").suffix.lower()
            if not name:
                raise SetAside("missing", "its row holds neither audio nor the path of any")
            path = item.path.parent / name
            # A data set that somebody else made says this: it must not bring foreign files into a corpus. Links are the
            # user's own, and what a download from the Hub is made of.
            if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(item.path.parent)):
                raise SetAside("missing", f"{name!r} is outside {item.path.parent}; name such files in a .jsonl list")
        if not path.is_file():
            raise SetAside("missing", f"{path} does not exist")
        return str(path), path.suffix.lower()


def _range(item: AudioItem, rate: int, frames: int) -> tuple[int, int]:
    """First and last frame (exclusive) of the item's part; `SetAside` if that is not in the recording or no speech."""
    start, end = item.sample.start_ms, item.sample.end_ms
    first = (start or 0) * rate // 1000
    last = end * rate // 1000 if end is not None else frames
    if last > frames + rate // 10:
        raise SetAside("segment outside", f"it ends at {end} ms, the file at {frames * 1000 // rate} ms")
    last = min(last, frames)
    if last - first < MIN_SECONDS * rate:
        raise SetAside("too short", f"{max(0, last - first) / rate:.3f} s, at least {MIN_SECONDS} s are needed")
    if last - first > MAX_SECONDS * rate:
        raise SetAside("too long", f"{(last - first) / rate:.0f} s, at most {MAX_SECONDS} s; list its parts")
    return first, last


def _decoded(file: soundfile.SoundFile, first: int, last: int) -> np.ndarray:
    """float32[last - first, channels]. Half a second before is decoded too: MP3 and Opus are silent after a jump until
    they have heard enough."""
    before = min(first, file.samplerate // 2)
    file.seek(first - before)
    return file.read(last - first + before, dtype="float32", always_2d=True)[before:]


def _suffix_of(data: bytes) -> str:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return f".{file.format.lower()}"
