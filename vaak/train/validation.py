"""In-loop validation: cross-entropy on the frozen samples of the gold pack, in total and by language and stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vaak.corpus.pack_items import CeSample
from vaak.grammar.prompt import paired_ids, pretrain_labels, sft_labels
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.host import Precision, compute_in
from vaak.mixture import PackedBatch
from vaak.train.meters import LossMeter
from vaak.train.world import World

Document = tuple[NDArray[np.int64], NDArray[np.int64], CeSample]


class Validation:
    """The samples of the streams that a stage trains, packed once into rows.

    Labels are those of the stage: an SFT stage is measured on codes and the stop token alone. Raw audio and text longer
    than the context are cut, a paired sample that does not fit is left out; `left_out` counts these.
    """

    def __init__(
        self,
        samples: Sequence[CeSample],
        *,
        kind: Literal["pretrain", "sft"],
        streams: Collection[str],
        context: int,
        vocabulary: Vocabulary,
        tokenizer: TextTokenizer,
        rows: int,
    ) -> None:
        self.vocabulary = vocabulary
        chosen = [one for one in samples if one.stream in streams]
        documents = [_document(one, kind, context, vocabulary, tokenizer) for one in chosen]
        kept = [one for one in documents if len(one[0]) <= context]
        self.left_out = len(documents) - len(kept)
        packed = _rows_of(kept, context)
        self.batches = [pack_documents(packed[i : i + rows], vocabulary) for i in range(0, len(packed), rows)]

    @torch.no_grad()
    def measure(self, module: nn.Module, precision: Precision, world: World | None = None) -> dict[str, float]:
        """`val/loss`, `val/stream/<s>`, `val/language/<l>`, `val/audio`, `val/text`: means over targets, in nats.

        module: what to call for a loss. Ranks share the batches; every token's loss is computed on one of them and the sums
        are taken in one order, so the numbers are the same on any number of ranks.
        """
        world = world or World()
        module.eval()
        losses = [np.zeros(batch.labels.shape) for batch in self.batches]
        # Ranks that share one cut model compute together: who has no batch of its own left takes one once more.
        for turn in range(0, len(self.batches), world.size):
            own = turn + world.rank
            with compute_in(precision, world.device):
                output = module(self.batches[min(own, len(self.batches) - 1)])
            if own < len(self.batches):
                losses[own] = output.per_token.cpu().numpy().astype(np.float64)
        together = world.total(np.concatenate([one.reshape(-1) for one in losses])) if losses else np.zeros(0)
        meter = LossMeter(self.vocabulary)
        start = 0
        for batch in self.batches:
            end = start + batch.labels.size
            meter.add(batch, together[start:end].astype(np.float32).reshape(batch.labels.shape))
            start = end
        values = meter.means(total="val/loss", prefix="val/")
        return {name: value for name, value in values.items() if not name.startswith("val/source/")}


def pack_documents(rows: Sequence[Sequence[Document]], vocabulary: Vocabulary) -> PackedBatch:
    """Rows of documents as one batch, as wide as its longest row; each document carries its own labels."""
    samples = [sample for row in rows for _, _, sample in row]
    names = [tuple(sorted({getattr(one, field) for one in samples})) for field in ("stream", "language", "source")]
    width = max(sum(len(ids) for ids, _, _ in row) for row in rows)
    ids = np.full((len(rows), width), vocabulary.end_of_text_id, np.int64)
    labels = np.full((len(rows), width), -100, np.int64)
    positions = np.zeros((len(rows), width), np.int64)
    doc_lens: list[NDArray[np.int32]] = []
    tags: list[list[NDArray[np.int16]]] = [[], [], []]
    for b, row in enumerate(rows):
        lengths = [len(one) for one, _, _ in row]
        n = sum(lengths)
        ids[b, :n] = np.concatenate([one for one, _, _ in row])
        labels[b, :n] = np.concatenate([one for _, one, _ in row])
        padding = [width - n] if n < width else []
        positions[b] = np.concatenate([np.arange(length) for length in lengths + padding])
        doc_lens.append(np.array(lengths + padding, np.int32))
        for field, known, into in zip(("stream", "language", "source"), names, tags, strict=True):
            numbers = [known.index(getattr(sample, field)) for _, _, sample in row]
            into.append(np.array(numbers + [-1] * len(padding), np.int16))
    return PackedBatch(
        input_ids=ids,
        labels=labels,
        position_ids=positions,
        doc_lens=doc_lens,
        doc_stream=tags[0],
        doc_language=tags[1],
        doc_source=tags[2],
        rows=np.arange(len(rows)),
        n_targets=int((labels >= 0).sum()),
        streams=names[0],
        languages=names[1],
        sources=names[2],
    )


def _document(sample: CeSample, kind: str, context: int, vocabulary: Vocabulary, tokenizer: TextTokenizer) -> Document:
    if sample.stream != "paired":
        text = sample.stream == "text"
        ids = sample.codes.astype(np.int64) if text else vocabulary.speech_ids(sample.codes)
        ids = ids[:context]
        return ids, pretrain_labels(ids), sample
    voice = tokenizer.encode(sample.voice_description) if sample.voice_description else None
    ids = paired_ids(vocabulary, tokenizer.encode(sample.transcript or ""), sample.codes, voice)
    return ids, sft_labels(vocabulary, ids) if kind == "sft" else pretrain_labels(ids), sample


def _rows_of(documents: Iterable[Document], context: int) -> list[list[Document]]:
    """Longest first, each into the fullest row that still has room for it."""
    rows: list[list[Document]] = []
    room: list[int] = []
    for document in sorted(documents, key=lambda one: -len(one[0])):
        length = len(document[0])
        fitting = [i for i, free in enumerate(room) if free >= length]
        if fitting:
            at = min(fitting, key=lambda i: room[i])
            rows[at].append(document)
            room[at] -= length
        else:
            rows.append([document])
            room.append(context - length)
    return rows
