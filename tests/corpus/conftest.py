"""A small corpus of known values for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vaak.corpus import CorpusWriter, Sample

CODEC = {"name": "toy", "hash": "c" * 64, "codebook_size": 1000, "tokens_per_second": 50, "sample_rate": 16000}


def write_corpus(folder: Path, n: int = 20, shard_tokens: int = 300, name: str = "toy") -> str:
    """n paired and n raw samples in English and Hindi and n texts; sample i of a group has 40 + i tokens."""
    writer = CorpusWriter(folder, name, codec=CODEC, tokenizer_hash="t" * 64, shard_tokens=shard_tokens)
    rng = np.random.default_rng(0)
    for language in ("en", "hi"):
        for i in range(n):
            tokens = rng.integers(0, 1000, 40 + i)
            duration = len(tokens) / 50
            writer.add("raw", Sample(f"raw-{language}-{i}", "radio", language, duration_s=duration), tokens)
            writer.add(
                "paired",
                Sample(
                    f"pair-{language}-{i}",
                    "studio",
                    language,
                    speaker=f"{language}-{i % 3}",
                    transcript=f"{language} sentence {i}",
                    transcript_kind="native",
                    duration_s=duration,
                    held_out=i >= n - 8,
                ),
                tokens[::-1],
            )
    for i in range(n):
        writer.add("text", Sample(f"text-{i}", "books", "en", held_out=i == 0), rng.integers(0, 2**31, 40 + i))
    return writer.freeze()


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "corpus")
    return tmp_path / "corpus"
