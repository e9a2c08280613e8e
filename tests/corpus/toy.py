"""A small corpus of known values and a small real codec for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vaak.corpus import Corpus, CorpusWriter, Sample, open_corpus

CODEC = {"name": "toy", "hash": "c" * 64, "codebook_size": 1000, "tokens_per_second": 50, "sample_rate": 16000}
LANGUAGES = ("en", "hi", "ta")


class LevelCodec:
    """A codec of one number: the level of each 20 ms frame in 1000 steps. It says nothing, but it is exact."""

    name, codebook_size, sample_rate, output_rate, tokens_per_second = "level", 1000, 16000, 16000, 50
    hash = "1" * 64

    def __init__(self) -> None:
        self.encoded = 0

    def encode_batch(self, waves: list[np.ndarray]) -> list[np.ndarray]:
        self.encoded += len(waves)
        padded = [np.pad(wave, (0, -len(wave) % 320)).reshape(-1, 320) for wave in waves]
        return [np.clip(np.abs(frames).mean(axis=1) * 1000, 0, 999).astype(np.uint16) for frames in padded]


def known_tokens(name: str, n: int, limit: int = 1000) -> np.ndarray:
    """The tokens of a sample, from its name alone."""
    return np.random.default_rng(list(name.encode())).integers(0, limit, n)


def write_corpus(folder: Path, n: int = 20, shard_tokens: int = 300, name: str = "toy") -> str:
    """n paired and n raw samples in English and Hindi and n texts; sample i of a group has 40 + i tokens."""
    writer = CorpusWriter(folder, name, codec=CODEC, tokenizer_hash="t" * 64, shard_tokens=shard_tokens)
    for language in ("en", "hi"):
        for i in range(n):
            duration = (40 + i) / 50
            raw = Sample(f"raw-{language}-{i}", "radio", language, duration_s=duration)
            writer.add("raw", raw, known_tokens(raw.sample_id, 40 + i))
            paired = Sample(
                f"pair-{language}-{i}",
                "studio",
                language,
                speaker=f"{language}-{i % 3}",
                transcript=f"{language} sentence {i}",
                transcript_kind="native",
                voice_description=f"Voice {i % 3}",
                duration_s=duration,
                sample_rate=22050 if i % 2 else None,
                held_out=i >= n - 10,
            )
            writer.add("paired", paired, known_tokens(paired.sample_id, 40 + i))
    for i in range(n):
        text = Sample(f"text-{i}", "books", "en", held_out=i == 0)
        writer.add("text", text, known_tokens(text.sample_id, 40 + i, 2**32))
    return writer.freeze()


def big_corpus(folder: Path, more: Sequence[Sample] = ()) -> Corpus:
    """Three languages with two trained voices and one held-out voice each, ten held-out sentences a voice, some audio.

    `more` are further paired samples, of 200 codes each.
    """
    writer = CorpusWriter(folder, "big", codec=CODEC, tokenizer_hash="t" * 64)
    rng = np.random.default_rng(1)
    for language in LANGUAGES:
        for voice in ("a", "b", "new"):
            for i in range(20):
                held_out = i >= 10 or voice == "new"
                name = f"{language}-{voice}-{i}"
                if held_out and i % 2:
                    writer.add_audio(name, f"OggS {name}".encode())
                sample = Sample(
                    name,
                    "studio" if i % 3 else "street",
                    language,
                    speaker=f"{language}-{voice}",
                    transcript=f"{language} text {voice} {i}",
                    transcript_kind="native",
                    voice_description=f"Voice {voice}",
                    held_out=held_out,
                    long_form=i == 19 and voice == "a",
                )
                writer.add("paired", sample, rng.integers(0, 1000, 150 + i))
        for i in range(5):
            writer.add("raw", Sample(f"{language}-raw-{i}", "radio", language, held_out=i > 2), rng.integers(0, 9, 50))
            writer.add(
                "text", Sample(f"{language}-text-{i}", "books", language, held_out=i > 2), rng.integers(0, 2**31, 50)
            )
    for sample in more:
        writer.add("paired", sample, rng.integers(0, 1000, 200))
    writer.freeze()
    return open_corpus(folder)
