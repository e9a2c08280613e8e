"""What benchmarks/step.py trains on: paired documents of log-normal lengths packed by the mixture, and rows filled by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _loader_corpora import CODEC, WORDS
from numpy.typing import NDArray

from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.grammar.prompt import IGNORED
from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import MixtureSettings, PackedBatch, RowReader, solve_plan

# Seven seconds of speech at 50 codes a second in the median, and a long tail: 95% of documents have 110 to 1,380 tokens.
MEDIAN, SPREAD, SHORTEST, LONGEST, SEED = 350, 0.7, 60, 1_500, 7
DISTRIBUTION = f"log-normal, median {MEDIAN}, sigma {SPREAD}, clipped to {SHORTEST}..{LONGEST}, seed {SEED}"
# Words of a transcript for each code: two and a half a second.
_WORDS_PER_CODE = 0.05
MIXTURE: dict[str, Any] = {
    "streams": {"paired": {"share": 1.0}},
    "languages": {"caps": {}, "fixed": {"hi": 1.0}, "rest": None},
}


@dataclass(frozen=True)
class Document:
    """ids: int64[n]; labels: int64[n], not shifted (transformers shifts them), -100 where nothing is learned."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]


def tokenizer_of_words() -> TextTokenizer:
    """380 ids, so that with four control tokens and a power of two of codes the vocabulary has no padding: all sides then have
    one and the same softmax."""
    return train_tokenizer([" ".join([*WORDS, *map("".join, product("bdgklmnprst", "aeiou", "lnrs"))])] * 5, 380)


def sft_lengths(documents: int, longest: int = LONGEST) -> NDArray[np.int64]:
    drawn = np.random.default_rng(SEED).lognormal(np.log(MEDIAN), SPREAD, documents)
    return np.clip(drawn, SHORTEST, min(LONGEST, longest)).astype(np.int64)


def sft_corpus(folder: Path, tokenizer: TextTokenizer, documents: int, codebook: int, context: int) -> Path:
    """One language of paired samples whose documents (transcript, marks and codes) have the lengths of `sft_lengths`."""
    rng = np.random.default_rng(SEED)
    codec = CODEC | {"codebook_size": codebook}
    writer = CorpusWriter(folder, "sft", codec=codec, tokenizer_hash=tokenizer.hash, shard_tokens=1 << 22)
    for i, n in enumerate(sft_lengths(documents, context).tolist()):
        words = rng.integers(0, len(WORDS), max(1, round(n * _WORDS_PER_CODE)))
        text = " ".join(WORDS[k] for k in words)
        codes = rng.integers(0, codebook, max(1, n - len(tokenizer.encode(text)) - 2), dtype=np.uint16)
        writer.add("paired", Sample(f"p{i}", "made", "hi", transcript=text, transcript_kind="native"), codes)
    writer.freeze()
    return folder


def sft_reader(corpus_folder: Path, tokenizer: TextTokenizer, context: int, cache: Path) -> RowReader:
    corpus = open_corpus(corpus_folder)
    vocabulary = tokenizer.vocabulary(corpus.codebook_size or 1)
    plan = solve_plan(
        MixtureSettings.model_validate(MIXTURE),
        [corpus],
        stage_kind="sft",
        context=context,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        seed=1,
        cache_folder=cache,
        passes=1,
    )
    return RowReader(plan, [corpus], vocabulary, tokenizer)


def filled_rows(vocabulary: Vocabulary, rows: int, context: int, seed: int) -> PackedBatch:
    """Rows of one document of random codes each, as pretraining on long recordings has them: all positions are targets."""
    random = np.random.default_rng(seed)
    ids = vocabulary.speech_ids(random.integers(0, vocabulary.codebook_size, (rows, context)))
    labels = np.full_like(ids, IGNORED)
    labels[:, :-1] = ids[:, 1:]
    tags = [np.zeros(1, np.int16)] * rows
    return PackedBatch(
        input_ids=ids,
        labels=labels,
        position_ids=np.broadcast_to(np.arange(context), ids.shape).copy(),
        doc_lens=[np.array([context], np.int32)] * rows,
        doc_stream=tags,
        doc_language=tags,
        doc_source=tags,
        rows=np.arange(rows),
        n_targets=rows * (context - 1),
        streams=("raw",),
        languages=("hi",),
        sources=("made",),
    )


def documents_of(batches: Sequence[PackedBatch]) -> list[Document]:
    """The documents of packed rows, padding left out, in the order of the rows."""
    found = []
    for batch in batches:
        for ids, labels, lengths, tags in zip(
            batch.input_ids, batch.labels, batch.doc_lens, batch.doc_stream, strict=True
        ):
            ends = np.cumsum(lengths)
            for start, end, tag in zip(ends - lengths, ends, tags, strict=True):
                if tag >= 0:
                    targets = np.concatenate([[IGNORED], labels[start : end - 1]])
                    found.append(Document(ids[start:end], targets))
    return found


def padded(documents: Sequence[Document], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Documents as an ordinary batch: on the right padded to the longest, masked, labels -100 there."""
    longest = max(len(one.ids) for one in documents)
    ids = torch.full((len(documents), longest), pad_id)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for i, one in enumerate(documents):
        n = len(one.ids)
        ids[i, :n], labels[i, :n], mask[i, :n] = torch.from_numpy(one.ids), torch.from_numpy(one.labels), 1
    return {
        name: part.to(device)
        for name, part in zip(("input_ids", "labels", "attention_mask"), (ids, labels, mask), strict=True)
    }


def padded_step(
    batches: Sequence[PackedBatch], microbatches: int, pad_id: int, device: torch.device
) -> list[dict[str, torch.Tensor]]:
    """All documents of a step in `microbatches` padded batches of about as many documents each, drawn at random.

    Without the draw a batch would hold the documents of one row or two, which packing has made alike in length.
    """
    documents = documents_of(batches)
    np.random.default_rng(SEED).shuffle(documents)  # pyright: ignore[reportArgumentType]
    cuts = np.array_split(np.arange(len(documents)), microbatches)
    return [padded([documents[i] for i in part], pad_id, device) for part in cuts]
