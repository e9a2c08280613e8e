"""flite, statistical English from Debian. A variant is the name of a built-in voice: slt, rms, awb, kal16."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from vaak.errors import BadInput

LICENCE = "BSD-like; CMU Arctic voices, free for any use"


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] and its rate, 16,000 Hz."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        _run(["-voice", variant, "--setf", f"duration_stretch={1 / speed:.4f}", "-t", text, "-o", str(path)])
        data = path.read_bytes()
    return soundfile.read(io.BytesIO(data), dtype="float32")


def version() -> str:
    out = _run(["--version"]).decode()
    return next(line.split(":")[1].split()[0] for line in out.splitlines() if "version:" in line)


def _run(arguments: list[str]) -> bytes:
    try:
        return subprocess.run(["flite", *arguments], check=False, capture_output=True).stdout
    except FileNotFoundError:
        raise BadInput("the English voices slt, rms and awb need flite: apt-get install flite") from None
