"""A small corpus in twelve languages with skewed sizes and lengths, shared by the tests of this room."""

from __future__ import annotations

import numpy as np
import pytest

from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.grammar.tokenizer import train_tokenizer
from vaak.languages import LANGUAGES

CODEC = {"name": "toy", "hash": "c0dec", "codebook_size": 512, "tokens_per_second": 50, "sample_rate": 16000}
# Relative amounts of data: a hundredfold between the largest and the smallest language.
AMOUNT = dict(zip(LANGUAGES, (100, 40, 20, 15, 12, 10, 8, 6, 5, 3, 1, 1), strict=True))
HELD_OUT_EVERY = 23


def write_corpus(folder, tokenizer, *, languages=tuple(LANGUAGES), scale=5, seed=0):
    """Samples of random codes: `studio` (clean), `street` (wild), `anchor` (clean, no English), `custom` (clean)."""
    rng = np.random.default_rng(seed)
    writer = CorpusWriter(folder, "toy", codec=CODEC, tokenizer_hash=tokenizer.hash, shard_tokens=40_000)
    number = 0

    def sample(language, source, tier, **more):
        nonlocal number
        number += 1
        held_out = number % HELD_OUT_EVERY == 0
        return Sample(f"s{number}", source, language, tier=tier, held_out=held_out, **more)

    def codes(mean):
        return rng.integers(0, 512, int(np.clip(rng.gamma(3, mean / 3), 20, 900)))

    for language in languages:
        n = AMOUNT[language] * scale
        for source, tier, share in (
            ("studio", "clean", 0.3),
            ("street", "wild", 1.0),
            ("anchor", "clean", 0.1),
            ("custom", "clean", 0.1),
        ):
            if source == "anchor" and language == "en":
                continue
            for _ in range(max(3, int(n * share))):
                writer.add("raw", sample(language, source, tier, long_form=bool(rng.random() < 0.3)), codes(250))
                text = " ".join(["word", "vaak", "speech"][i] for i in rng.integers(0, 3, rng.integers(2, 12)))
                voice = f"Voice {rng.integers(0, 4)}, a woman" if rng.random() < 0.5 else None
                kind = "romanised" if rng.random() < 0.05 else "native"
                described = sample(
                    language, source, tier, transcript=text, transcript_kind=kind, voice_description=voice
                )
                writer.add("paired", described, codes(180))
        for _ in range(n):
            ids = rng.integers(0, 200, rng.integers(20, 200))
            writer.add("text", sample(language, "web", "clean"), np.append(ids, tokenizer.end_of_text_id))
    writer.freeze()
    return open_corpus(folder)


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(["word vaak speech a woman voice"] * 5, 270)


@pytest.fixture(scope="session")
def vocabulary(tokenizer):
    return tokenizer.vocabulary(512)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, tokenizer):
    return write_corpus(tmp_path_factory.mktemp("toy") / "corpus", tokenizer)


@pytest.fixture(scope="session")
def without_hindi(tmp_path_factory, tokenizer):
    """A second, smaller corpus that lacks one language."""
    others = tuple(code for code in LANGUAGES if code != "hi")
    return write_corpus(tmp_path_factory.mktemp("small") / "corpus", tokenizer, scale=1, languages=others, seed=5)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
