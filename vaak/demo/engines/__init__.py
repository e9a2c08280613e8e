"""The engines that speak the example and what its codec is trained on: one small module each, all with the same face.

`wave(variant, language, text, speed)` gives float32[T] and its rate in Hz, the same on every call; `version()` names the
engine as installed; `LICENCE` is that of programme and voices. What they speak is not under it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from vaak.errors import BadInput

ENGINES: Sequence[str] = ("espeak", "flite", "hibari", "festival", "kokoro", "piper")


def engine_wave(engine: str, variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """`text` as the engine speaks it: float32[T] in [-1, 1] and the rate in Hz. Raises `BadInput` if it cannot."""
    return _module(engine).wave(variant, language, text, speed)


def engine_version(engine: str) -> str:
    """Name and version of an engine as installed."""
    return _module(engine).version()


def engine_licence(engine: str) -> str:
    """Licence of the programme and of its voices."""
    return _module(engine).LICENCE


def _module(engine: str) -> ModuleType:
    if engine not in ENGINES:
        raise BadInput(f"no engine {engine!r} is known; use {', '.join(ENGINES[:-1])} or {ENGINES[-1]}")
    return importlib.import_module(f"vaak.demo.engines.{engine}")
