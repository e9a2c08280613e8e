"""From row numbers to rows and batches: integer arithmetic on memory maps, no tokenizer, no state but the row number."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.corpus.staged import StagedTokens
from vaak.errors import BadInput
from vaak.grammar.prompt import IGNORED, paired_ids, pretrain_labels, sft_labels, write_prompt
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.ahead import stretches_ahead
from vaak.mixture.batch import PackedBatch
from vaak.mixture.cells import Cell, Part
from vaak.mixture.derived import check_derived
from vaak.mixture.order import key_of, mix64, permute_near
from vaak.mixture.plan import Plan
from vaak.mixture.transcripts import Transcripts

_log = logging.getLogger(__name__)

# Rows whose place is worked out together: 1.5 ms for a plan of 60 cells, whatever the row number.
_BLOCK = 4096

# Numbers between two arrays of a batch, which are whole pages long: 1.5 KiB.
_APART = 192


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
        self._first_rows = [list(accumulate((part.rows for part in one.parts), initial=0)) for one in plan.cells]
        names = (plan.streams, plan.languages, plan.sources)
        if len(plan.sources) > np.iinfo(np.int16).max:
            raise BadInput(
                f"the plan has {len(plan.sources):,} sources, a batch can name 32,767; join some in the corpus"
            )
        self._cell_tags = [
            np.array(
                [[known.index(name)] for known, name in zip(names, (c.stream, c.language, c.source), strict=True)],
                np.int16,
            )
            for c in (one.cell for one in plan.cells)
        ]
        self._keys = np.array([key_of("rows", plan.seed, one.cell) for one in plan.cells], dtype=np.uint64)
        self._sizes = np.array([one.epoch_rows for one in plan.cells], dtype=np.int64)
        self._known_tags: dict[tuple[int, int, bool], NDArray[np.int16]] = {}
        self._counting = np.arange(plan.context)
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
            found, edges = [], self._first_rows[cell]
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
        part, content = self._part(cell, content)
        return Row(*part.row(content), cell)

    def stored(self, number: int) -> list[tuple[int, int]]:
        """Which stored tokens a row has: from where to where in its group's `flat`, document by document or as one."""
        part, content = self._part(*self.place(number))
        return part.stored(content)

    def batch(self, numbers: Sequence[int]) -> PackedBatch:
        """These rows as one batch, padded to the context: what `row` gives for each, written in place."""
        plan, context = self.plan, self.plan.context
        ids, labels, positions = _arrays(3, (len(numbers), context))
        doc_lens, tags, n_targets = [], [], 0
        for b, number in enumerate(numbers):
            cell, content = self.place(number)
            part, content = self._part(cell, content)
            lengths, prompts = part.write(content, ids[b])
            n = sum(lengths)
            if n < context:
                ids[b, n:] = self.vocabulary.end_of_text_id
                lengths.append(context - n)
            labels_of, positions_of, start = labels[b], positions[b], 0
            labels_of[:-1] = ids[b, 1:]
            for length in lengths:
                positions_of[start : start + length] = self._counting[:length]
                start += length
                labels_of[start - 1] = IGNORED
            labels_of[n:] = IGNORED
            for start, stop in prompts:
                labels_of[start:stop] = IGNORED
            n_targets += n - (len(lengths) - (n < context)) - sum(stop - start for start, stop in prompts)
            doc_lens.append(np.array(lengths, np.int32))
            tags.append(self._tags(cell, len(lengths), n < context))
            if part.stream == "text" and int(ids[b, :n].max()) >= self.vocabulary.base_size:
                self._refuse(ids[b : b + 1], [number], self.vocabulary.base_size, "tokenizer")
        if int(ids.view(np.uint64).max()) >= self.vocabulary.size:  # negative ones are large there
            self._refuse(ids, numbers, self.vocabulary.size, "vocabulary")
        streams, languages, sources = zip(*tags, strict=True)
        return PackedBatch(
            input_ids=ids,
            labels=labels,
            position_ids=positions,
            doc_lens=doc_lens,
            doc_stream=list(streams),
            doc_language=list(languages),
            doc_source=list(sources),
            rows=np.array(numbers, dtype=np.int64),
            n_targets=n_targets,
            streams=plan.streams,
            languages=plan.languages,
            sources=plan.sources,
        )

    def _part(self, cell: int, content: int) -> tuple[_PartReader, int]:
        """The part that row `content` of a cell lies in, and which of the part's rows it is."""
        parts = self._parts[cell]
        if len(parts) == 1:
            return parts[0], content
        number = bisect_right(self._first_rows[cell], content) - 1
        return parts[number], content - self._first_rows[cell][number]

    def _tags(self, cell: int, documents: int, padded: bool) -> NDArray[np.int16]:
        """Stream, language and source of each document of a row (int16[3, documents]), -1 for padding at its end.

        Rows share them, so nobody may write to them.
        """
        known = self._known_tags.get((cell, documents, padded))
        if known is None:
            known = np.repeat(self._cell_tags[cell], documents, axis=1)
            if padded:
                known[:, -1] = -1
            known.flags.writeable = False
            self._known_tags[cell, documents, padded] = known
        return known

    def _refuse(self, ids: NDArray[np.int64], numbers: Sequence[int], limit: int, what: str) -> NoReturn:
        """A damaged token must become neither a token of another kind nor an index beyond the embedding.

        Ids of transcripts are this tokenizer's own, in a cache that is hashed, and are not looked at again.
        """
        raise BadInput(
            f"rows {numbers[0]} to {numbers[-1]} hold ids {ids.min()}..{ids.max()}, the {what} has 0..{limit - 1}; verify "
            "the corpora (vaak corpus verify) and plan again"
        )


def _arrays(count: int, shape: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Arrays that begin at different places of a page: copied between two that do not, a row takes eight times as long."""
    size = shape[0] * shape[1]
    memory = np.empty(count * (size + _APART), np.int64)
    return [memory[at : at + size].reshape(shape) for at in range(0, len(memory), size + _APART)]


class _PartReader:
    """Rows of one part: its group's tokens and its index arrays, all memory-mapped."""

    def __init__(self, plan: Plan, cell: Cell, part: Part, corpus: Corpus, vocabulary: Vocabulary) -> None:
        self.group: Group = corpus.groups[cell.stream, cell.language, cell.tier]
        self.context, self.vocabulary, self.sft = plan.context, vocabulary, plan.stage_kind == "sft"
        self.stream, self.tokens, self.staged = cell.stream, part.tokens, corpus.staged
        self._shift = np.int64(0 if cell.stream == "text" else vocabulary.first_speech_id)
        folder = plan.cache / part.folder
        if part.folder:
            check_derived(folder)
        self.samples = _index(folder / "samples.npy") if part.folder else None
        if cell.stream == "paired":
            self.rows, self.voiced = _index(folder / "rows.npy"), _index(folder / "voiced.npy")
            self.transcripts = Transcripts(plan.cache / part.transcripts)
            self._rows = self.rows.data  # one number of it as a plain integer, for half of numpy's own
        elif part.folder:
            self.offsets = _index(folder / "offsets.npy")
            self._at = self.offsets.data

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Ids, labels and document lengths of row `number` of this part, without padding."""
        return self._paired(number) if self.stream == "paired" else self._window(number)

    def write(self, number: int, ids: NDArray[np.int64]) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids of row `number` to the beginning of `ids`; its documents' lengths, and from where to where no target is."""
        return self._write_paired(number, ids) if self.stream == "paired" else (self._write_window(number, ids), [])

    def stored(self, number: int) -> list[tuple[int, int]]:
        """From where to where the row's tokens lie in the group's `flat`."""
        group = self.group
        if self.stream == "paired":
            assert self.samples is not None
            samples = self.samples[self.rows[number] : self.rows[number + 1]].tolist()
            return [(group.start(i), group.start(i) + len(group.tokens(i))) for i in samples]
        start = number * self.context
        stop = min(start + self.context, self.tokens)
        return [(start, stop)] if self.samples is None else self._kept_ranges(start, stop)

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
        tokens = np.concatenate([self.group.flat(a, b) for a, b in self.stored(number)])
        lengths = np.diff([start, *self._cuts(start, stop), stop])
        ids = tokens.astype(np.int64) if self.stream == "text" else self.vocabulary.speech_ids(tokens)
        labels = pretrain_labels(ids)
        labels[np.cumsum(lengths) - 1] = IGNORED
        return ids, labels, lengths

    def _write_window(self, number: int, ids: NDArray[np.int64]) -> list[int]:
        start = number * self.context
        stop = min(start + self.context, self.tokens)
        if self.samples is None:
            ids[: stop - start] = self.group.flat(start, stop)
        else:
            at = 0
            for first, last in self._kept_ranges(start, stop):
                ids[at : at + last - first] = self.group.flat(first, last)
                at += last - first
        # Stored tokens become ids by one addition, in 64 bits.
        ids[: stop - start] += self._shift
        edges = [start, *self._cuts(start, stop), stop]
        return [end - begin for begin, end in pairwise(edges)]

    def _cuts(self, start: int, stop: int) -> list[int]:
        """Where documents begin between two places, both excluded."""
        if self.samples is None:
            return self.group.cuts(start, stop)
        found, at = [], bisect_right(self._at, start)
        while self._at[at] < stop:
            found.append(self._at[at])
            at += 1
        return found

    def _kept_ranges(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Where tokens start..stop of the kept samples, laid end to end, lie in the group's `flat`."""
        assert self.samples is not None
        first = int(np.searchsorted(self.offsets, start, side="right")) - 1
        last = int(np.searchsorted(self.offsets, stop, side="left"))
        ranges = []
        edges = self.offsets[first : last + 1].tolist()
        for sample, begin, end in zip(self.samples[first:last].tolist(), edges, edges[1:], strict=False):
            shift = self.group.start(sample) - begin
            ranges.append((max(start, begin) + shift, min(stop, end) + shift))
        return ranges

    def _write_paired(self, number: int, ids: NDArray[np.int64]) -> tuple[list[int], list[tuple[int, int]]]:
        assert self.samples is not None
        vocabulary, transcripts, shift = self.vocabulary, self.transcripts, self._shift
        speech_end = vocabulary.speech_end
        first, stop = self._rows[number], self._rows[number + 1]
        samples = self.samples[first:stop].tolist()
        lengths, masked, at = [], [], 0
        voiced = self.voiced[first:stop].tolist()
        for i, (sample, codes) in enumerate(zip(samples, self.group.many(samples), strict=True)):
            start = at
            at += write_prompt(
                vocabulary, ids[at:], transcripts.transcript(sample), transcripts.voice(sample) if voiced[i] else ()
            )
            if self.sft and at - start > 2:
                masked.append((start, at - 2))  # what predicts speech_start is a target, what stands before it is not
            end = at + len(codes)
            speech = ids[at:end]
            speech[:] = codes
            speech += shift
            ids[end] = speech_end
            at = end + 1
            lengths.append(at - start)
        return lengths, masked

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
