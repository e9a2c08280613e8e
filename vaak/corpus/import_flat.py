"""Flat pretraining streams, codes or text ids end to end without sample boundaries, into a frozen corpus.

The layout is that of `datasets/pretraining.py` in https://github.com/inworld-ai/tts: `<split>_pretraining_codes.npy` and
`<split>_pretraining_tokens.npy`, raw int32 in spite of their name. Files with a real .npy header are read too. Where one
recording or document ends and the next begins is lost: the stream is cut into pieces of one length, and the corpus says
so. End-of-text ids in a text stream stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vaak.corpus.import_run import ImportReport, ImportRun, ImportTarget
from vaak.corpus.import_samples import LONGEST_PREFIX, SampleDefaults, checked_defaults, sample_table
from vaak.corpus.import_source import ArrayFile, held_out_splits, open_array, read_values
from vaak.corpus.samples import SCHEMA, readable_id
from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.storage.files import room_on_disk

# Tokens of a piece: 8 rows of the longest context of the recipes, so that pieces and rows end together. 11 minutes.
PIECE = 1 << 15

# Tokens that are worked on at a time.
_BLOCK_TOKENS = 1 << 23

_STREAM = re.compile(r"(?P<split>[A-Za-z0-9-]+)_pretraining_(?P<kind>codes|tokens)\.npy")

_LOST = "a flat stream: which recordings it was made of, and where each ends, is not known"


@dataclass(frozen=True)
class FlatStream:
    """One file of the source."""

    split: str
    kind: str
    array: ArrayFile


def import_flat(
    source: Path,
    target: ImportTarget,
    defaults: SampleDefaults,
    held_out: Sequence[str] = (),
    piece: int = PIECE,
    vocabulary: int = 1 << 32,
    progress: Callable[[int, int], Any] | None = None,
) -> ImportReport:
    """Import a folder of flat streams, or one such file, into the frozen corpus `target.out`; the source is only read.

    `defaults` needs a language, as nothing in a flat file tells it. Codes become `raw`, tokens `text`, which needs the
    hash of their tokenizer in `target`; `vocabulary` is how many ids that has. The samples are pieces of `piece` tokens,
    and the manifest's `boundaries` says that nobody knows better ones. A piece with a code or id out of range is set
    aside. Called again after an interruption it continues. Raises `BadInput` as `import_inworld` does.
    """
    reasons = {"source_id": _LOST, "start_ms": _LOST, "end_ms": _LOST, **defaults.reasons}
    defaults = checked_defaults(replace(defaults, codec=target.codec, reasons=reasons))
    if defaults.language is None:
        raise BadInput(f"{source} is flat and cannot say its language; name it with --language")
    if piece < 1 or piece > target.shard_tokens:
        raise BadInput(f"pieces of {piece:,} tokens cannot be made; use 1 to {target.shard_tokens:,}")
    streams = find_streams(source)
    if any(one.kind == "codes" for one in streams) and target.codec is None:
        raise BadInput(f"{source} holds codes; name their codec")
    if any(one.kind == "tokens" for one in streams) and target.tokenizer_hash is None:
        raise BadInput(f"{source} holds text ids, which mean nothing without their tokenizer; name it with --tokenizer")
    kept_out = held_out_splits(held_out, {one.split for one in streams}, source)
    settings = {"layout": "flat", "held_out": sorted(kept_out), "source": defaults.source, "language": defaults.language,
                "tier": defaults.tier, "reasons": dict(defaults.reasons), "piece": piece,
                "vocabulary": vocabulary}  # fmt: skip
    total = sum(one.array.n for one in streams)
    with room_on_disk(target.out), ImportRun(target, [one.array.path for one in streams], settings) as run:
        if not run.done:
            before = 0
            for number, stream in enumerate(streams):
                limit = vocabulary if stream.kind == "tokens" else int((target.codec or {})["codebook_size"])
                work = _StreamImport(run, stream, number, piece, limit, stream.split in kept_out, defaults)
                work.run(lambda done, before=before: progress and progress(before + done, total))
                before += stream.array.n
        found = [f"{one.array.path.name}: {one.array.n:,} {one.kind}, {one.array.form}" for one in streams]
        return run.finish(found, {"boundaries": boundaries(piece)})


def boundaries(piece: int) -> str:
    """What the manifest says of a corpus that was imported flat."""
    return f"unknown: flat streams, cut into pieces of {piece} tokens"


def find_streams(source: Path) -> list[FlatStream]:
    """The flat files of a folder, sorted, or the one that `source` names. Raises `BadInput` if there is none."""
    paths = sorted(source.iterdir()) if source.is_dir() else [source]
    matches = [(path, match) for path in paths if (match := _STREAM.fullmatch(path.name))]
    if not matches:
        raise BadInput(f"{source} has no <split>_pretraining_codes.npy or <split>_pretraining_tokens.npy; name it so")
    return [FlatStream(match["split"], match["kind"], open_array(path, "int32")) for path, match in matches]


@dataclass
class _StreamImport:
    run_: ImportRun
    stream: FlatStream
    number: int
    piece: int
    limit: int
    held_out: bool
    defaults: SampleDefaults

    def run(self, progress: Callable[[int], Any]) -> None:
        """Import what is not done yet of this file."""
        position: Mapping[str, Any] = self.run_.position or {"file": 0, "piece": 0}
        if "end" in position or position["file"] > self.number:
            return
        array, quarantine = self.stream.array, self.run_.target.quarantine
        if array.left_over and quarantine is None:
            raise BadInput(f"{array.path} is cut: {array.left_over} bytes at its end are no whole value; "
                           "restore it, or import what is whole with --quarantine DIR")  # fmt: skip
        pieces = -(-array.n // self.piece)
        at_a_time = max(1, _BLOCK_TOKENS // self.piece)
        done = position["piece"] if position["file"] == self.number else 0
        with open(array.path, "rb", buffering=0) as file:
            while done < pieces:
                stop = min(done + at_a_time, pieces)
                self._block(file, done, stop)
                done = stop
                progress(min(done * self.piece, array.n))
                self.run_.note({"file": self.number, "piece": done}, always=False)

    def _block(self, file: Any, first: int, stop: int) -> None:
        array = self.stream.array
        begin, end = first * self.piece, min(stop * self.piece, array.n)
        values = read_values(array, file, begin, end)
        lengths = np.full(stop - first, self.piece, np.int64)
        lengths[-1] = end - begin - self.piece * (stop - first - 1)
        numbers = np.arange(first, stop)
        # The range is checked before the cast, which would wrap.
        if int(values.min()) < 0 or int(values.max()) >= self.limit:
            strange = (values < 0) | (values >= self.limit)
            bad = np.add.reduceat(strange.astype(np.int64), np.arange(0, len(values), self.piece)) > 0
            for i in np.flatnonzero(bad).tolist():
                self._set_aside(first + i, values[i * self.piece : (i + 1) * self.piece])
            values = values[np.repeat(~bad, lengths)]
            numbers, lengths = numbers[~bad], lengths[~bad]
        if len(numbers):
            self._keep(numbers.tolist(), lengths, values)

    def _set_aside(self, number: int, values: np.ndarray) -> None:
        array = self.stream.array
        what = "the codebook" if self.stream.kind == "codes" else "the tokenizer"
        detail = f"its {self.stream.kind} are {values.min()}..{values.max()}; {what} has 0..{self.limit - 1}"
        begin = number * self.piece
        kind = "code out of range" if self.stream.kind == "codes" else "id out of range"
        where = f"{array.path}, values {begin}..{begin + len(values)}"
        more = {"file": array.path.name, "row": number, "first": begin, "stop": begin + len(values)}
        self.run_.set_aside(kind, detail, where, self._id(number), **more)

    def _keep(self, numbers: list[int], lengths: np.ndarray, values: np.ndarray) -> None:
        text = self.stream.kind == "tokens"
        stream, language, n = "text" if text else "raw", language_of(self.defaults.language or ""), len(numbers)
        same = {
            "source": self.defaults.source,
            "language": language,
            "tier": self.defaults.tier,
            "long_form": False,
            "held_out": self.held_out,
        }
        codec = None if text else self.defaults.codec
        if codec is not None:
            same["codec_hash"] = codec["hash"]
        columns = {name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), n) for name, value in same.items()}
        columns["sample_id"] = pa.array([self._id(number) for number in numbers], pa.string())
        if codec is not None and codec["tokens_per_second"] is not None:
            columns["duration_s"] = pa.array(lengths / codec["tokens_per_second"])
        table = sample_table(pa.repeat(pa.scalar(stream), n), columns, self.defaults)
        self.run_.add((stream, language, self.defaults.tier), table, lengths, values.astype("u4" if text else "u2"))

    def _id(self, number: int) -> str:
        name = f"{readable_id(self.defaults.source) or 'flat'}/{self.stream.split}-{self.stream.kind}"
        return f"{readable_id(name, LONGEST_PREFIX)}.{number}"
