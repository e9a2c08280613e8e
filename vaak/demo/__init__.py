"""The embedded example: a small frozen corpus of synthetic speech in twelve languages, the script that made it,
and a small model that was trained on it.

Nothing but paths is needed to use it. Engines of speech are needed only to make it again (`vaak.demo.make`).
"""

from __future__ import annotations

from pathlib import Path

from vaak.errors import BadInput

__all__ = ["corpus_folder", "model_folder", "project_file", "tokenizer_folder"]

_HERE = Path(__file__).parent


def corpus_folder() -> Path:
    """The frozen corpus: codes of the embedded codec, text ids of the embedded tokenizer, a manifest."""
    return _HERE / "data" / "corpus"


def tokenizer_folder() -> Path:
    """The tokenizer trained on the example's text."""
    return _HERE / "data" / "tokenizer"


def model_folder() -> Path:
    """The trained model that ships in the package, as `vaak checkpoint export` writes one, with its tokenizer.

    Raises `BadInput` where the package was built without it.
    """
    folder = _HERE / "model"
    if not (folder / "model.safetensors").is_file():
        raise BadInput(f"this package ships no model ({folder} has no model.safetensors); train one: vaak demo")
    return folder


def project_file() -> Path:
    """The launch of the example, as `vaak demo` walks it."""
    return _HERE / "project.yaml"
