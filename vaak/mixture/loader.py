"""From row numbers to packed batches: integer arithmetic on memory maps, no tokenizer, no state but the row number."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.corpus.staged import StagedTokens
from vaak.errors import BadInput
from vaak.grammar.prompt import IGNORED, paired_ids, pretrain_labels, sft_labels
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.ahead import stretches_ahead
from vaak.mixture.batch import PackedBatch
from vaak.mixture.cells import Cell, Part
from vaak.mixture.derived import check_derived
from vaak.mixture.order import key_of, mix64, permute_near
from vaak.mixture.packing import cuts_between, pieces_between
from vaak.mixture.plan import Plan
from vaak.mixture.transcripts import Transcripts

_log = logging.getLogger(__name__)

# Rows whose place is worked out together: 1.5 ms for a plan of 60 cells, whatever the row number.
_BLOCK = 4096


class Row(NamedTuple):
    """One row before it joins a batch: int64[n] ids and labels with n <= context, lengths of its documents, its cell."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    cell: int


class RowReader:
    """Builds any row of a plan by its number. Rows go on past the plan's end, round after round."""

    def __init__(self, plan: Plan, corpora: Sequence[Corpus], vocabulary: Vocabulary, tokenizer: TextTokenizer) -> None:
        _check(plan, corpora, vocabulary, tokenizer)
        self.plan, self.vocabulary = plan, vocabulary
        by_id = {corpus.id: corpus for corpus in corpora}
        self._parts = [[_PartReader(plan, one.cell, part, by_id[part.corpus_id], vocabulary) for part in one.parts]
                       for one in plan.cells]  # fmt: skip
        self._first_rows = [np.cumsum([0] + [part.rows for part in one.parts]) for one in plan.cells]
        self._keys = np.array([key_of("rows", plan.seed, one.cell) for one in plan.cells], dtype=np.uint64)
        self._sizes = np.array([one.epoch_rows for one in plan.cells], dtype=np.int64)
        self._counted = False
        self._near: dict[tuple[int, int], list[tuple[StagedTokens, str]]] = {}
        self.staged = list({id(one.staged): one.staged for one in corpora if one.staged is not None}.values())
        self._block: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None

    def place(self, number: int) -> tuple[int, int]:
        """Index of the row's cell in the plan, and which of that cell's rows it is."""
        # One local name, so that threads that share a reader may replace the block under each other's feet.
        block = self._block
        if block is None or block[0] != number // _BLOCK:
            block = self._block = self._place_block(number // _BLOCK)
        return int(block[1][number % _BLOCK]), int(block[2][number % _BLOCK])

    def _place_block(self, block: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        cells, visits = self.plan.interleave.visits(block * _BLOCK, (block + 1) * _BLOCK)
        sizes = self._sizes[cells]
        keys = mix64(self._keys[cells] + (visits // sizes).astype(np.uint64))
        return block, cells, permute_near(visits % sizes, sizes, keys, self.plan.window)

    def announce(self, number: int) -> int:
        """Let the staged shards come that rows from this one on need, soonest first, as many as the caches take.

        Returns the row at which the first cell goes on to its next stretch: announce again there.
        """
        wanted: dict[int, dict[str, None]] = {id(one): {} for one in self.staged}
        room = {id(one): one.limit for one in self.staged}
        seen: set[int] = set()
        until = number + _BLOCK
        for when, cell, first, stop in stretches_ahead(self.plan, number, self._keys):
            now = cell not in seen
            if not now:
                until = min(until, int(when))
            seen.add(cell)
            for staged, path in self._shards(cell, first, stop):
                # What is needed now is named even where there is no room for all of it.
                if path not in wanted[id(staged)] and (now or room[id(staged)] > 0):
                    wanted[id(staged)][path] = None
                    room[id(staged)] -= staged.source.files[path].size
            if len(seen) == len(self.plan.cells):
                self._say_if_small(-sum(min(left, 0) for left in room.values()))
                if max(room.values(), default=0) <= 0:
                    break
        for one in self.staged:
            one.announce(list(wanted[id(one)]))
        return until

    def _say_if_small(self, lacking: int) -> None:
        """Once, when every cell's shards of now are counted: a small cache is slow, not wrong."""
        if not self._counted and lacking > 0:
            _log.warning(
                "%s holds %.3f GB less than the rows need at one time: training will wait for shards; give it more",
                self.staged[0].folder,
                lacking / 1e9,
            )
        self._counted = True

    def _shards(self, cell: int, first: int, stop: int) -> list[tuple[StagedTokens, str]]:
        """The staged shards that a stretch of a cell's rows lies in."""
        if (cell, first) not in self._near:
            found, edges = [], self._first_rows[cell].tolist()
            for part, (begin, end) in zip(self._parts[cell], pairwise(edges), strict=True):
                if part.staged is not None and begin < stop and first < end:
                    paths = part.paths(max(first - begin, 0), min(stop, end) - begin)
                    found += [(part.staged, path) for path in paths]
            self._near[cell, first] = found
        return self._near[cell, first]

    def rest(self) -> None:
        """Fetch nothing ahead any more."""
        for one in self.staged:
            one.close()

    def row(self, number: int) -> Row:
        """The content of row `number` (from 0)."""
        cell, content = self.place(number)
        part = int(np.searchsorted(self._first_rows[cell], content, side="right")) - 1
        ids, labels, lengths = self._parts[cell][part].row(content - int(self._first_rows[cell][part]))
        return Row(ids, labels, lengths, cell)

    def batch(self, numbers: Sequence[int]) -> PackedBatch:
        """These rows as one batch, padded to the context."""
        plan, context = self.plan, self.plan.context
        shape = (len(numbers), context)
        input_ids = np.full(shape, self.vocabulary.end_of_text_id, dtype=np.int64)
        labels = np.full(shape, IGNORED, dtype=np.int64)
        positions = np.empty(shape, dtype=np.int64)
        doc_lens, streams, languages, sources = [], [], [], []
        for b, number in enumerate(numbers):
            row = self.row(number)
            n = len(row.ids)
            input_ids[b, :n], labels[b, :n] = row.ids, row.labels
            lengths = row.lengths if n == context else np.append(row.lengths, context - n)
            starts = np.cumsum(lengths) - lengths
            positions[b] = np.arange(context) - np.repeat(starts, lengths)
            doc_lens.append(lengths.astype(np.int32))
            cell = plan.cells[row.cell].cell
            tags = (
                plan.streams.index(cell.stream),
                plan.languages.index(cell.language),
                plan.sources.index(cell.source),
            )
            for tag, each in zip(tags, (streams, languages, sources), strict=True):
                values = np.full(len(lengths), tag, dtype=np.int16)
                values[len(row.lengths) :] = -1
                each.append(values)
        return PackedBatch(
            input_ids=input_ids,
            labels=labels,
            position_ids=positions,
            doc_lens=doc_lens,
            doc_stream=streams,
            doc_language=languages,
            doc_source=sources,
            rows=np.array(numbers, dtype=np.int64),
            n_targets=int((labels != IGNORED).sum()),
            streams=plan.streams,
            languages=plan.languages,
            sources=plan.sources,
        )


def open_loader(
    plan: Plan,
    corpora: Sequence[Corpus],
    vocabulary: Vocabulary,
    tokenizer: TextTokenizer,
    *,
    microbatch_rows: int,
    start_row: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Generator[PackedBatch, None, None]:
    """Endless microbatches of one rank: rows `start_row + rank`, `+ world`, ... in groups of `microbatch_rows`.

    After k microbatches on every rank the next row is `start_row + k·world·microbatch_rows`: that number is the whole
    state. `workers` threads build batches ahead, two each; the batches and their order are the same for any number.
    Raises `BadInput` naming the corpus, tokenizer or vocabulary that is not the plan's.
    """
    if microbatch_rows < 1 or world < 1 or not 0 <= rank < world or start_row < 0:
        raise BadInput(f"no loader for rank {rank} of {world} from row {start_row} with {microbatch_rows} rows a batch")
    reader = RowReader(plan, corpora, vocabulary, tokenizer)
    return _batches(reader, start_row + rank, world, microbatch_rows, workers)


def _batches(reader: RowReader, first: int, world: int, rows: int, workers: int) -> Generator[PackedBatch, None, None]:
    def numbers() -> Iterator[list[int]]:
        start, announced = first, first
        while True:
            if reader.staged and start >= announced:
                announced = reader.announce(start)
            yield [start + i * world for i in range(rows)]
            start += rows * world

    if workers == 0:
        try:
            yield from (reader.batch(each) for each in numbers())
        finally:
            reader.rest()
        return
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="vaak-loader")
    ahead: deque[Future[PackedBatch]] = deque()
    try:
        for each in numbers():
            ahead.append(pool.submit(reader.batch, each))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
    finally:
        # A batch in the making would begin the staging anew.
        pool.shutdown(wait=bool(reader.staged), cancel_futures=True)
        reader.rest()


class _PartReader:
    """Rows of one part: its group's tokens and its index arrays, all memory-mapped."""

    def __init__(self, plan: Plan, cell: Cell, part: Part, corpus: Corpus, vocabulary: Vocabulary) -> None:
        self.group: Group = corpus.groups[cell.stream, cell.language, cell.tier]
        self.context, self.vocabulary, self.sft = plan.context, vocabulary, plan.stage_kind == "sft"
        self.stream, self.tokens, self.staged = cell.stream, part.tokens, corpus.staged
        folder = plan.cache / part.folder
        if part.folder:
            check_derived(folder)
        self.samples = _index(folder / "samples.npy") if part.folder else None
        if cell.stream == "paired":
            self.rows, self.voiced = _index(folder / "rows.npy"), _index(folder / "voiced.npy")
            self.transcripts = Transcripts(plan.cache / part.transcripts)
        elif part.folder:
            self.offsets = _index(folder / "offsets.npy")

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Ids, labels and document lengths of row `number` of this part, without padding."""
        return self._paired(number) if self.stream == "paired" else self._window(number)

    def paths(self, first: int, stop: int) -> list[str]:
        """The shards that rows first..stop of this part lie in."""
        if self.stream == "paired":
            assert self.samples is not None
            return self.group.paths_of(self.samples[self.rows[first] : self.rows[stop]])
        start, end = first * self.context, min(stop * self.context, self.tokens)
        if self.samples is None:
            return self.group.paths_between(start, end)
        kept = slice(
            int(np.searchsorted(self.offsets, start, side="right")) - 1,
            int(np.searchsorted(self.offsets, end, side="left")),
        )
        return self.group.paths_of(self.samples[kept])

    def _window(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        start = number * self.context
        stop = min(start + self.context, self.tokens)
        if self.samples is None:
            tokens, cuts = self.group.flat(start, stop), self.group.cuts(start, stop)
        else:
            tokens, cuts = self._kept(start, stop), cuts_between(self.offsets, start, stop)
        lengths = pieces_between(cuts, start, stop)
        ids = tokens.astype(np.int64) if self.stream == "text" else self.vocabulary.speech_ids(tokens)
        labels = pretrain_labels(ids)
        labels[np.cumsum(lengths) - 1] = IGNORED
        return ids, labels, lengths

    def _kept(self, start: int, stop: int) -> NDArray:
        """Tokens start..stop of the kept samples laid end to end."""
        assert self.samples is not None
        first = int(np.searchsorted(self.offsets, start, side="right")) - 1
        last = int(np.searchsorted(self.offsets, stop, side="left"))
        pieces = []
        for i in range(first, last):
            shift = self.group.start(int(self.samples[i])) - int(self.offsets[i])
            begin, end = max(start, int(self.offsets[i])), min(stop, int(self.offsets[i + 1]))
            pieces.append(self.group.flat(begin + shift, end + shift))
        return np.concatenate(pieces)

    def _paired(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        assert self.samples is not None
        ids, labels = [], []
        row = slice(int(self.rows[number]), int(self.rows[number + 1]))
        samples = self.samples[row].tolist()
        for sample, voiced, codes in zip(samples, self.voiced[row], self.group.many(samples), strict=True):
            voice = self.transcripts.voice(sample) if voiced else None
            document = paired_ids(self.vocabulary, self.transcripts.transcript(sample), codes, voice)
            ids.append(document)
            labels.append(sft_labels(self.vocabulary, document) if self.sft else pretrain_labels(document))
        lengths = np.array([len(one) for one in ids], dtype=np.int64)
        return np.concatenate(ids), np.concatenate(labels), lengths


def _check(plan: Plan, corpora: Sequence[Corpus], vocabulary: Vocabulary, tokenizer: TextTokenizer) -> None:
    missing = [one for one in plan.inputs["corpora"] if one not in {corpus.id for corpus in corpora}]
    if missing:
        raise BadInput(f"the plan is made for corpus {missing[0][:12]}, which was not opened; restore it or plan again")
    if plan.inputs["tokenizer"] != tokenizer.hash:
        raise BadInput("the plan is made for another tokenizer; restore that one or plan again in a new run folder")
    if plan.inputs["vocabulary"] != vocabulary.to_dict():
        raise BadInput("the plan is made for another vocabulary; use its codec and tokenizer, or plan again")


def _index(path: Path) -> NDArray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); remove {path.parent} and plan again") from error
