"""The embedded example: a small frozen corpus of synthetic speech in twelve languages, and the script that made it.

Nothing but paths is needed to use it. Engines of speech are needed only to make it again (`vaak.demo.make`).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["corpus_folder", "project_file", "tokenizer_folder"]

_HERE = Path(__file__).parent


def corpus_folder() -> Path:
    """The frozen corpus: codes of the embedded codec, text ids of the embedded tokenizer, a manifest."""
    return _HERE / "data" / "corpus"


def tokenizer_folder() -> Path:
    """The tokenizer trained on the example's text."""
    return _HERE / "data" / "tokenizer"


def project_file() -> Path:
    """The launch of the example, as `vaak demo` walks it."""
    return _HERE / "project.yaml"
