"""Debian's codec2 as a peer: telephone speech at 1,200 and 3,200 bit/s through the programmes c2enc and c2dec."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soxr

RATE = 8000
# 80 ms of silence behind a wave, so that its end comes through the delay of the codec.
_TAIL = RATE * 80 // 1000
_FRAME = 320  # samples of the longer of the two frames; a part of one is dropped by c2enc


def missing() -> str:
    """Why codec2 cannot be measured here; "" where it can."""
    absent = [name for name in ("c2enc", "c2dec") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found; apt-get install codec2" if absent else ""


def narrow(wave: np.ndarray, rate: int) -> bytes:
    """float32[T] as what c2enc reads: signed 16 bits at 8 kHz, whole frames, the tail behind it."""
    at_8k = soxr.resample(wave, rate, RATE, quality="HQ")
    length = -(-(len(at_8k) + _TAIL) // _FRAME) * _FRAME
    padded = np.pad(np.clip(at_8k, -1, 1), (0, length - len(at_8k)))
    return np.round(padded * 32767).astype("<i2").tobytes()


def encode(pcm: bytes, bits_per_second: int) -> bytes:
    return _run("c2enc", pcm, bits_per_second)


def decode(bits: bytes, bits_per_second: int) -> bytes:
    return _run("c2dec", bits, bits_per_second)


def round_trip(wave: np.ndarray, rate: int, bits_per_second: int) -> np.ndarray:
    """float32[T + about 80 ms] at `rate`, later than `wave` by the delay of the codec."""
    pcm = decode(encode(narrow(wave, rate), bits_per_second), bits_per_second)
    at_8k = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
    return soxr.resample(at_8k, RATE, rate, quality="HQ").astype(np.float32)


def _run(program: str, data: bytes, bits_per_second: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in", Path(folder) / "out"
        source.write_bytes(data)
        done = subprocess.run([program, str(bits_per_second), str(source), str(target)], capture_output=True, text=True)
        if done.returncode or not target.is_file():
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return target.read_bytes()
