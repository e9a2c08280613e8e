"""hibari-tts, neural English inside its wheel: a hundred times faster than real time. Its one variant is `heart`."""

from __future__ import annotations

import functools
import importlib.metadata

import numpy as np

from vaak.errors import BadInput

LICENCE = "Apache-2.0, its model too"
_RATE = 24000  # Hz


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] at 24,000 Hz."""
    return _hibari(variant)(text, speed=speed, seed=0), _RATE


def version() -> str:
    return f"hibari-tts {importlib.metadata.version('hibari-tts')}"


@functools.cache
def _hibari(variant: str):
    try:
        from hibari import Hibari  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadInput("the English voice needs hibari-tts: pip install hibari-tts==0.2.1") from None
    return Hibari(voice=variant, threads=1)
