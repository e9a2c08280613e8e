"""Corpora that benchmarks/loader.py reads: one language to be fast on, one of any length, twelve of skewed sizes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vaak.corpus import Corpus, CorpusWriter, Sample, open_corpus
from vaak.corpus.manifest import root_hash
from vaak.corpus.samples import QUALITY, SCHEMA
from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.languages import LANGUAGES

CODEBOOK = 65_536
CODEC = {"name": "xcodec2", "hash": "0" * 64, "codebook_size": CODEBOOK, "tokens_per_second": 50, "sample_rate": 16000}
WORDS = [
    "the",
    "quick",
    "river",
    "speech",
    "vaak",
    "morning",
    "नमस्ते",
    "दुनिया",
    "फिर",
    "मिलेंगे",
    "आज",
    "मौसम",
    "अच्छा",
    "है",
]


def tokenizer_of_words() -> TextTokenizer:
    return train_tokenizer([" ".join(WORDS)] * 5, 400)


def speech_corpus(folder: Path, tokenizer: TextTokenizer, samples: int) -> Corpus:
    """One language, three streams: speech of 100 to 700 codes, documents of 50 to 400 ids."""
    rng = np.random.default_rng(1)
    writer = CorpusWriter(folder, "read", codec=CODEC, tokenizer_hash=tokenizer.hash, shard_tokens=1 << 22)
    for i, n in enumerate(rng.integers(100, 700, samples).tolist()):
        codes = rng.integers(0, CODEBOOK, n, dtype=np.uint16)
        writer.add("raw", Sample(f"r{i}", "made", "hi"), codes)
        text = " ".join(WORDS[k] for k in rng.integers(0, len(WORDS), n // 40 + 2))
        writer.add("paired", Sample(f"p{i}", "made", "hi", transcript=text, transcript_kind="native"), codes)
        writer.add("text", Sample(f"t{i}", "made", "hi"), rng.integers(0, tokenizer.size, n // 2, dtype=np.uint32))
    writer.freeze()
    return open_corpus(folder)


def linked_corpus(folder: Path, samples: int) -> Path:
    """A corpus of one real shard (tokens sparse) that stands there under as many names as give so many samples."""
    per_shard = min(samples, (1 << 27) // 400)
    group = folder / "raw" / "hi" / "clean"
    group.mkdir(parents=True)
    n_shards = -(-samples // per_shard)
    shards, files = [], []
    for number in range(n_shards):
        stem = f"{number:05d}"
        if number == 0:
            _real_shard(group, per_shard)
        for kind in ("tokens.npy", "offsets.npy", "samples.parquet"):
            path = group / f"{stem}.{kind}"
            if number:
                os.link(group / f"00000.{kind}", path)
            files.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": "0" * 64})
        shards.append({"stem": stem, "samples": per_shard, "tokens": per_shard * 400})
    n, tokens = n_shards * per_shard, n_shards * per_shard * 400
    summary = {"stream": "raw", "language": "hi", "tier": "clean", "samples": n, "tokens": tokens,
               "hours": tokens / 50 / 3600, "sources": {"made": {"samples": n, "tokens": tokens}},
               "unknown": {}, "shards": shards}  # fmt: skip
    body: dict[str, Any] = {"format": "vaak-corpus-1", "name": "linked", "codec": CODEC, "tokenizer_hash": None,
                            "samples": n, "groups": [summary], "files": files}  # fmt: skip
    (folder / "MANIFEST.json").write_text(json.dumps({"id": root_hash(body), **body}))
    return folder


def _real_shard(group: Path, samples: int) -> None:
    with open(group / "00000.tokens.npy", "wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (samples * 400,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + samples * 400 * 2)
    np.save(group / "00000.offsets.npy", np.arange(samples + 1, dtype=np.int64) * 400)
    names = [one for one in SCHEMA if one.name not in QUALITY]
    same = {"source": "made", "language": "hi", "tier": "clean", "unknown": "{}", "long_form": False, "held_out": False}
    columns = [
        pa.array([f"s{i}" for i in range(samples)])
        if one.name == "sample_id"
        else pa.repeat(pa.scalar(same.get(one.name), one.type), samples)
        for one in names
    ]
    pq.write_table(
        pa.Table.from_arrays(columns, schema=pa.schema(names)), group / "00000.samples.parquet", row_group_size=4096
    )


AMOUNT = dict(zip(LANGUAGES, (100, 40, 20, 15, 12, 10, 8, 6, 5, 3, 1.5, 1), strict=True))


def skewed_corpus(folder: Path, tokenizer: TextTokenizer, samples: int) -> Corpus:
    """Twelve languages, the smallest with a hundredth of the largest, lengths of three kinds, the sources of fine-tuning."""
    rng = np.random.default_rng(2)
    writer = CorpusWriter(folder, "skewed", codec=CODEC, tokenizer_hash=tokenizer.hash, shard_tokens=1 << 22)
    total = sum(AMOUNT.values())
    number = 0
    for place, (language, amount) in enumerate(AMOUNT.items()):
        n = max(20, int(samples * amount / total))
        for source, share in (("wild_native", 1.0), ("hifitts2", 0.4), ("custom", 0.2), ("indicvoices_r", 0.2)):
            if (source == "hifitts2") != (language == "en") and source in ("hifitts2", "indicvoices_r"):
                continue
            for length in (
                np.clip(rng.gamma(2 + place % 3, 150, max(10, int(n * share))), 25, 1900).astype(int).tolist()
            ):
                number += 1
                codes = rng.integers(0, CODEBOOK, length, dtype=np.uint16)
                writer.add("raw", Sample(f"r{number}", source, language), codes)
                words = rng.integers(0, len(WORDS), length // 40 + 1)
                text = " ".join(WORDS[k] for k in words)
                sample = Sample(f"p{number}", source, language, transcript=text, transcript_kind="native")
                writer.add("paired", sample, codes)
        for _ in range(n):
            number += 1
            ids = rng.integers(0, tokenizer.size, int(rng.integers(30, 900)), dtype=np.uint32)
            writer.add("text", Sample(f"t{number}", "web", language), ids)
    writer.freeze()
    return open_corpus(folder)
