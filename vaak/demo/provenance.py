"""Where the example came from: the record beside the corpus, and the text that its tokenizer learned from."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vaak.demo.held_out import held_out_words
from vaak.demo.items import Item, Page
from vaak.demo.voices import LEVEL_DB, TRIM, VOICES, engine_version
from vaak.grammar.tokenizer import TextTokenizer
from vaak.storage.files import hash_json

# What decides the bytes of texts, waves and files; engines name their own versions.
_PACKAGES = (
    "espeakng-loader",
    "hibari-tts",
    "onnxruntime",
    "soxr",
    "soundfile",
    "numpy",
    "pyarrow",
    "tokenizers",
    "torch",
)

# How often each letter of a script is shown to the tokenizer by itself: often enough that it becomes one token.
_LETTER_COUNT = 2000


def tokenizer_texts(items: Sequence[Item], pages: Sequence[Page]) -> Iterator[str]:
    """English texts, those of few words twice, a tenth of everything else, and every letter of every script by itself.

    So each letter of the Indic scripts and each of the few words is one token, and most of what room is left goes to short
    English pieces.
    """
    letters: set[str] = set()
    seen = [item for item in items if not item.held_out] + [page for page in pages if not page.held_out]
    for n, one in enumerate(seen):
        letters.update(one.text)
        if one.language == "en" or n % 10 == 0:
            yield one.text
        if isinstance(one, Item) and (one.language, one.source) == ("en", "studio"):
            yield one.text
    alone = "\n".join(sorted(letters))
    for _ in range(_LETTER_COUNT):
        yield alone


def provenance(
    seed: int,
    items: Sequence[Item],
    pages: Sequence[Page],
    spoken: Sequence[Path],
    codec: dict[str, Any],
    tokenizer: TextTokenizer,
    corpus_id: str,
) -> dict[str, Any]:
    """The record: seed, versions, voices, hashes of all texts and of all 16-bit waves, codec, tokenizer, corpus id."""
    import numpy as np

    audio = hashlib.sha256()
    seconds = 0.0
    for path in spoken:
        with np.load(path, allow_pickle=False) as arrays:
            audio.update(arrays["pcm"].tobytes())
            seconds += len(arrays["pcm"]) / 16000
    return {
        "made_by": "python -m vaak.demo.make",
        "seed": seed,
        "utterances": len(items),
        "hours": round(seconds / 3600, 3),
        "documents": len(pages),
        "texts_sha256": hash_json([[[item.text, item.spoken] for item in items], [page.text for page in pages]]),
        "held_out_words": sorted(held_out_words(seed)),
        "waves_sha256": audio.hexdigest(),
        "trim": TRIM,
        "level_db": LEVEL_DB,
        "engines": sorted({engine_version(voice.engine) for voice in VOICES}),
        "voices": [
            f"{v.language} {v.name}: {v.engine} {v.variant}{', held out' if v.held_out else ''}" for v in VOICES
        ],
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "codec": codec,
        "tokenizer_sha256": tokenizer.hash,
        "corpus_id": corpus_id,
    }
