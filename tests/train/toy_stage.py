"""What the tests of training train on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.pack import build_pack
from vaak.grammar.tokenizer import train_tokenizer
from vaak.recipe import Recipe
from vaak.train.saving import Saving

CODEBOOK = 64
CODEC = {
    "name": "toy",
    "hash": "c0dec",
    "codebook_size": CODEBOOK,
    "tokens_per_second": 50,
    "sample_rate": 16000,
    "output_rate": 16000,
}
WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "red",
    "blue",
    "green",
    "old",
    "new",
    "big",
]


@contextmanager
def saves_waited_for() -> Iterator[None]:
    """Each save ends before the next step: a toy's steps take milliseconds, so that a busy disk would leave some saves out."""
    after = Saving.after

    @wraps(after)
    def waited(saving, done):
        after(saving, done)
        saving.checkpointing._settle()

    with patch.object(Saving, "after", waited):
        yield


def speech_of(text: str) -> np.ndarray:
    """Codes that follow from the text: three for each letter."""
    return np.array([(ord(letter) * 7 + k * 11) % CODEBOOK for letter in text for k in range(3)])


def make_corpus(folder: Path) -> Path:
    """`folder/corpus`, `folder/tokenizer` and `folder/pack`: English and Hindi, raw, paired and text."""
    rng = np.random.default_rng(0)
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 280)
    tokenizer.save(folder / "tokenizer")
    writer = CorpusWriter(folder / "corpus", "toy", codec=CODEC, tokenizer_hash=tokenizer.hash, shard_tokens=1 << 20)
    for language in ("en", "hi"):
        for i in range(160):
            text = " ".join(rng.choice(WORDS, rng.integers(1, 5)))
            about: dict[str, Any] = dict(source=("studio", "street")[i % 2], language=language, held_out=i % 8 == 0)
            spoken: dict[str, Any] = dict(transcript=text, transcript_kind="native", speaker=f"{language}{i % 3}")
            voice = "Asha" if i % 3 else None
            writer.add("paired", Sample(f"{language}p{i}", **about, **spoken, voice_description=voice), speech_of(text))
            writer.add("raw", Sample(f"{language}r{i}", **about), speech_of(text + " " + text))
            ids = tokenizer.encode(text + " " + text)
            writer.add("text", Sample(f"{language}t{i}", **about), [*ids, tokenizer.end_of_text_id])
    writer.freeze()
    build_pack(
        open_corpus(folder / "corpus"), folder / "pack", seed=0, n_ce=60, per_language=1, cross_lingual=0, probes=0
    )
    return folder


def make_recipe(toy: Path, **changes) -> Recipe:
    """A stage of 12 steps of 8 rows of 128 tokens."""
    tree: dict[str, Any] = {
        "name": "toy",
        "kind": "pretrain",
        "corpora": [str(toy / "corpus")],
        "pack": str(toy / "pack"),
        "tokenizer": str(toy / "tokenizer"),
        "codec": "toy",
        "model": {
            "config": {
                "model_type": "qwen3",
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "head_dim": 16,
                "intermediate_size": 64,
                "max_position_embeddings": 512,
            }
        },
        "context": 128,
        "tokens_per_step": 1024,
        "microbatch_rows": 4,
        "length": {"steps": 12},
        "schedule": {"peak_lr": 1e-2, "min_lr": 1e-3, "warmup_ratio": 0.1},
        "precision": "fp32",
        "activation_checkpointing": "none",
        "mixture": {
            "streams": {"raw": {"share": 0.5}, "paired": {"share": 0.3}, "text": {"share": 0.2}},
            "languages": {"caps": {"en": 0.7}, "fixed": {"hi": 0.3}, "rest": None},
        },
        "checkpoints": {"every": 5, "milestones": None, "keep_last_full": 3},
        "validation": {"every": 6, "samples": 60},
    }
    return Recipe.model_validate({**tree, **changes})


SFT = {"kind": "sft", "mixture": {"streams": {"paired": {"share": 1.0}}, "languages": {"caps": {"en": 0.7}, "fixed": {"hi": 0.3}, "rest": None}}}  # fmt: skip
