"""Codes, index and JSONL samples as the Inworld trainer writes them, into a frozen corpus.

The layout is that of `data_vectorizer.py` and `data_merger.py` in https://github.com/inworld-ai/tts: per split
`<split>_codes.npy` (raw int32 in spite of its name), `<split>_codes_index.npy` (saved by numpy) and
`<split>_samples.jsonl`, and the same with a number at the end for shards that were not merged. The index holds where
each sample starts, and it ends where the next one starts; files with start and end per sample are read too.
"""

# pyarrow makes its compute functions at import time, so type checkers cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vaak.corpus.import_codes import Block, CodesReader
from vaak.corpus.import_rows import Fault, Rows, field_names, parse_lines
from vaak.corpus.import_run import ImportReport, ImportRun, ImportTarget
from vaak.corpus.import_samples import (
    LONGEST_PREFIX,
    SampleDefaults,
    checked_defaults,
    complete,
    sample_table,
    streams,
)
from vaak.corpus.import_source import ArrayFile, count_lines, held_out_splits, open_array, open_index
from vaak.corpus.samples import readable_id
from vaak.errors import BadInput
from vaak.storage.files import room_on_disk

# Rows that are worked on at a time.
_BLOCK = 16384

# Codes that are worked on at a time: a block of rows ends sooner when its samples are long.
_BLOCK_CODES = 1 << 23

_CODES = re.compile(r"(?P<split>[A-Za-z0-9-]+)_codes(?:_(?P<shard>\d+))?\.npy")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Part:
    """The three files of one split, or of one shard of it. `rows` is the longer of index and lines."""

    split: str
    label: str
    codes: ArrayFile
    index: ArrayFile
    samples: Path
    lines: int

    @property
    def rows(self) -> int:
        return max(self.lines, self.index.n)


def import_inworld(
    source: Path,
    target: ImportTarget,
    defaults: SampleDefaults | None = None,
    fields: Sequence[str] = (),
    held_out: Sequence[str] = (),
    progress: Progress | None = None,
) -> ImportReport:
    """Import a folder of the Inworld trainer into the frozen corpus `target.out`; the source is only read.

    Rows with a transcript become `paired`, the others `raw`. Without a default the source of a row that names none is
    the folder's name. `fields` are changes of names such as "transcript=text", `held_out` splits beside
    dev, test and val that training never sees. Called again after an interruption it continues. Raises `BadInput` for files that are missing or of
    another kind, and without a quarantine for the first bad sample.
    """
    defaults = checked_defaults(replace(defaults or SampleDefaults(source.resolve().name), codec=target.codec))
    if target.codec is None:
        raise BadInput(f"{source} holds codes; name their codec")
    names = field_names(fields)
    parts = find_parts(source)
    kept_out = held_out_splits(held_out, {part.split for part in parts}, source)
    settings = {"layout": "inworld", "fields": {ours: list(theirs) for ours, theirs in names.items()},
                "held_out": sorted(kept_out), "source": defaults.source, "language": defaults.language,
                "tier": defaults.tier, "transcript_kind": defaults.transcript_kind,
                "reasons": dict(defaults.reasons)}  # fmt: skip
    files = [path for part in parts for path in (part.codes.path, part.index.path, part.samples)]
    total = sum(part.rows for part in parts)
    with room_on_disk(target.out), ImportRun(target, files, settings) as run:
        if not run.done:
            folder = readable_id(source.resolve().name) or "inworld"
            before = 0
            for number, part in enumerate(parts):
                prefix = readable_id(f"{folder}/{part.label}", LONGEST_PREFIX)
                work = _PartImport(run, part, number, names, prefix, part.split in kept_out, defaults)
                work.run(lambda done, before=before: progress and progress(before + done, total))
                before += part.rows
        return run.finish([_found(part) for part in parts], {})


def find_parts(source: Path) -> list[Part]:
    """The splits of a folder, sorted, a merged one before its shards are looked at. Raises `BadInput` if files lack."""
    if not source.is_dir():
        raise BadInput(f"{source} is no folder; name the folder with the trainer's <split>_codes.npy")
    found: dict[str, list[int | None]] = {}
    for path in source.iterdir():
        match = _CODES.fullmatch(path.name)
        if match and not match["split"].endswith("_pretraining"):
            found.setdefault(match["split"], []).append(int(match["shard"]) if match["shard"] else None)
    if not found:
        raise BadInput(f"{source} has no <split>_codes.npy; name a folder that the trainer's data tools wrote")
    parts = []
    for split in sorted(found):
        # Merging leaves the shards where they are unless it is told otherwise: the merged files hold them all.
        numbers = [None] if None in found[split] else sorted(one for one in found[split] if one is not None)
        parts += [_part(source, split, number) for number in numbers]
    return parts


def _part(source: Path, split: str, number: int | None) -> Part:
    end = "" if number is None else f"_{number}"
    samples = source / f"{split}_samples{end}.jsonl"
    codes = open_array(source / f"{split}_codes{end}.npy", "int32")
    lines = count_lines(samples)
    index = open_index(source / f"{split}_codes_index{end}.npy", lines, codes.n)
    return Part(split, split if number is None else f"{split}-{number}", codes, index, samples, lines)


def _found(part: Part) -> str:
    pairs = "starts and ends" if part.index.width == 2 else "starts only, each sample ends where the next one starts"
    return (
        f"{part.codes.path.name}: {part.codes.n:,} codes, {part.codes.form}; "
        f"{part.index.path.name}: {part.index.n:,} samples, {part.index.form}, {pairs}; {part.samples.name}: {part.lines:,} lines"
    )


@dataclass(frozen=True)
class _Read:
    """A block of rows as it comes from the files: codes, lines and what the lines say."""

    block: Block
    lines: list[bytes]
    rows: Rows


@dataclass
class _PartImport:
    run_: ImportRun
    part: Part
    number: int
    names: Mapping[str, tuple[str, ...]]
    prefix: str
    held_out: bool
    defaults: SampleDefaults

    def run(self, progress: Callable[[int], Any]) -> None:
        """Import what is not done yet of this part."""
        position = self.run_.position or {"part": 0, "row": 0, "byte": 0}
        if "end" in position or position["part"] > self.number:
            return
        self._check_sizes()
        row, byte = (position["row"], position["byte"]) if position["part"] == self.number else (0, 0)
        assert self.run_.target.codec is not None
        limit = int(self.run_.target.codec["codebook_size"])
        with (
            open(self.part.samples, "rb") as file,
            CodesReader(self.part.codes, self.part.index, limit, self.run_.target.shard_tokens) as codes,
            ThreadPoolExecutor(1) as ahead,
        ):
            file.seek(byte)
            codes.begin(row)
            # While one block is worked on the next one is read: its codes are checked and its lines parsed.
            load = partial(self._read_ahead, ahead, file, codes)
            loading = load(row)
            while row < self.part.rows:
                read = loading.result()
                if row + read.block.n < self.part.rows:
                    loading = load(row + read.block.n)
                self._work(row, read)
                row += read.block.n
                byte += sum(map(len, read.lines))
                progress(row)
                self.run_.note({"part": self.number, "row": row, "byte": byte}, always=False)

    def _read_ahead(self, pool: ThreadPoolExecutor, file: BinaryIO, codes: CodesReader, first: int) -> Future[_Read]:
        return pool.submit(self._load, file, codes, first)

    def _load(self, file: BinaryIO, codes: CodesReader, first: int) -> _Read:
        block = codes.load(first, min(_BLOCK, self.part.rows - first), _BLOCK_CODES)
        lines = list(islice(file, block.n))
        return _Read(block, lines, parse_lines(lines, self.names))

    def _check_sizes(self) -> None:
        """Without a quarantine, what does not add up is said before the work."""
        part = self.part
        if self.run_.target.quarantine is not None:
            return
        if part.codes.left_over:
            raise BadInput(f"{part.codes.path} is cut: {part.codes.left_over} bytes at its end are no whole code; "
                           "restore it, or import what is whole with --quarantine DIR")  # fmt: skip
        if part.index.left_over:
            raise BadInput(f"{part.index.path} is cut after entry {part.index.n:,}; "
                           "restore it, or import what is whole with --quarantine DIR")  # fmt: skip
        if part.lines != part.index.n:
            raise BadInput(f"{part.samples} has {part.lines:,} lines, {part.index.path.name} {part.index.n:,} entries; "
                           "restore both, or import the rows that have both with --quarantine DIR")  # fmt: skip

    def _work(self, first: int, read: _Read) -> None:
        block, lines, rows = read.block, read.lines, read.rows
        self.run_.fields_left |= rows.left
        complete(rows, lambda i: f"{self.prefix}.{first + i}", self.held_out, self.defaults)
        faults = rows.faults
        for i in range(len(lines), block.n):
            detail = f"the index has an entry {first + i} but {self.part.samples.name} no such line"
            faults[i] = Fault("no row", detail)
        block.drop(faults)
        for i, fault in block.faults.items():
            faults.setdefault(i, fault)
        names = rows.columns["sample_id"]
        if len(block.kept) < rows.n:
            names = names.take(pa.array(block.kept))
        again = self.run_.ids.add_all(names.to_pylist())
        if again.any():
            twice = block.kept[again].tolist()
            for i in twice:
                faults[i] = Fault("duplicate id", f"an earlier sample has the id {_id_of(rows, i)!r}")
            block.drop(twice)
        for i in sorted(faults):
            self._set_aside(i, first + i, lines, rows, faults[i])
        if len(block.kept):
            self._keep(rows, block.kept, block.lengths, block.codes)

    def _set_aside(self, i: int, row: int, lines: list[bytes], rows: Rows, fault: Fault) -> None:
        self.run_.set_aside(
            fault.kind,
            fault.detail,
            f"{self.part.samples}, line {row + 1}",  # a person counts lines from one
            _id_of(rows, i) if i < rows.n else None,
            file=self.part.samples.name,
            row=row,
            line=lines[i].decode(errors="replace").rstrip("\n") if i < len(lines) else None,
        )

    def _keep(
        self, rows: Rows, kept: NDArray[np.int64], lengths: NDArray[np.int64], tokens: NDArray[np.uint16]
    ) -> None:
        stream_of, columns = streams(rows), rows.columns
        if len(kept) < rows.n:
            which = pa.array(kept)
            stream_of = stream_of.take(which)
            columns = {name: column.take(which) for name, column in columns.items()}
        table = sample_table(stream_of, columns, self.defaults)
        key_of = pc.binary_join_element_wise(stream_of, columns["language"], columns["tier"], "/")
        coded = key_of.dictionary_encode()
        keys = [_key(one) for one in coded.dictionary.to_pylist()]
        if len(keys) == 1:
            self.run_.add(keys[0], table, lengths, tokens)
            return
        number_of = coded.indices.to_numpy()
        ends = np.cumsum(lengths)
        starts = (ends - lengths).tolist()
        stops = ends.tolist()
        for number, key in enumerate(keys):
            of_group = np.flatnonzero(number_of == number)
            pieces = np.concatenate([tokens[starts[i] : stops[i]] for i in of_group.tolist()])
            self.run_.add(key, table.take(pa.array(of_group)), lengths[of_group], pieces)


def _id_of(rows: Rows, i: int) -> str:
    return rows.columns["sample_id"][i].as_py()


def _key(joined: str) -> tuple[str, str, str]:
    stream, language, tier = joined.split("/")
    return stream, language, tier
