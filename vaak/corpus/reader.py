"""Reading a corpus: manifest and offsets at once, tokens through one memory map per shard, parquet when asked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vaak.corpus.arrays import mapped
from vaak.corpus.manifest import read_manifest
from vaak.corpus.samples import FIELDS, SCHEMA, Sample, from_row
from vaak.corpus.staged import StagedTokens
from vaak.corpus.transfer import TABLES, pull_tables
from vaak.corpus.verify import verify_corpus
from vaak.corpus.writer import FORMAT
from vaak.errors import BadInput, CheckFailed

# Offsets that are looked at together where all of a group are.
_RUN = 1 << 14


class Group:
    """All samples of one stream, language and tier, numbered through its shards from 0.

    `n_samples` and `n_tokens` count them. Tokens are uint16 codes, or uint32 ids in the text stream.
    """

    def __init__(self, folder: Path, summary: dict[str, Any], staged: StagedTokens | None = None) -> None:
        self.stream: str = summary["stream"]
        self.language: str = summary["language"]
        self.tier: str = summary["tier"]
        self.n_samples: int = summary["samples"]
        self.n_tokens: int = summary["tokens"]
        self.hours: float | None = summary["hours"]
        self.folder = folder / self.stream / self.language / self.tier
        place = f"{self.stream}/{self.language}/{self.tier}"
        self._shards = [_Shard(folder, place, one, self.dtype, staged) for one in summary["shards"]]
        self._first_sample = list(accumulate((shard.n_samples for shard in self._shards), initial=0))
        self._first_token = list(accumulate((shard.n_tokens for shard in self._shards), initial=0))
        self._rows: tuple[int, int, list[dict[str, Any]]] = (0, 0, [])

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint32 if self.stream == "text" else np.uint16)

    @property
    def offsets(self) -> np.ndarray:
        """int64[n_samples + 1]: sample i is `flat(offsets[i], offsets[i + 1])`. One shard's are its memory map.

        Those of several shards are joined anew at each call, eight bytes for each sample: what trains asks `start` and
        `cuts` instead.
        """
        if len(self._shards) == 1:
            return self._shards[0].offsets
        parts = [shard.offsets[:-1] + first for shard, first in zip(self._shards, self._first_token, strict=False)]
        return np.concatenate([*parts, np.array([self.n_tokens], np.int64)])

    def offset_parts(self) -> Iterator[np.ndarray]:
        """The offsets in runs of some thousands, each int64[n + 1] from where the last one ended, in tokens of the group."""
        for shard, first in zip(self._shards, self._first_token, strict=False):
            for begin in range(0, shard.n_samples, _RUN):
                yield shard.offsets[begin : begin + _RUN + 1] + first

    @property
    def lengths(self) -> np.ndarray:
        """int64[n_samples]: tokens of each sample, worked out anew at each call."""
        found = np.empty(self.n_samples, np.int64)
        for shard, first in zip(self._shards, self._first_sample, strict=False):
            np.subtract(shard.offsets[1:], shard.offsets[:-1], out=found[first : first + shard.n_samples])
        return found

    def lengths_of(self, samples: np.ndarray) -> np.ndarray:
        """Tokens of some samples (int64[n], ascending, to int64[n])."""
        edges = np.searchsorted(samples, self._first_sample)
        parts = []
        for shard, first, a, b in zip(self._shards, self._first_sample, edges, edges[1:], strict=False):
            if b > a:
                own = samples[a:b] - first
                parts.append(shard.offsets[own + 1] - shard.offsets[own])
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def start(self, i: int) -> int:
        """Where sample i begins in `flat`."""
        if not 0 <= i < self.n_samples:
            raise IndexError(f"sample {i} of {self.n_samples}")
        number = bisect_right(self._first_sample, i) - 1 if len(self._shards) > 1 else 0
        return self._first_token[number] + int(self._shards[number].offsets[i - self._first_sample[number]])

    def cuts(self, start: int, stop: int) -> list[int]:
        """Where samples begin between tokens start and stop of `flat`, both excluded, ascending."""
        found = []
        for number in self._shards_between(start, stop):
            first, shard = self._first_token[number], self._shards[number]
            offsets, end = shard.at, stop - first
            # Without the shard's end, which is the next one's beginning.
            at = bisect_right(offsets, start - first, hi=shard.n_samples)
            while at < shard.n_samples and offsets[at] < end:
                found.append(offsets[at] + first)
                at += 1
        return found

    def tokens(self, i: int) -> np.ndarray:
        """The tokens of sample i, a read-only view into the shard's memory map."""
        if not 0 <= i < self.n_samples:
            raise IndexError(f"sample {i} of {self.n_samples}")
        shard = self._shards[0]
        if len(self._shards) > 1:
            number = bisect_right(self._first_sample, i) - 1
            shard = self._shards[number]
            i -= self._first_sample[number]
        offsets, tokens = shard.at, shard.tokens
        if tokens is None:
            return shard.read(offsets[i], offsets[i + 1])
        return tokens[offsets[i] : offsets[i + 1]]

    def many(self, samples: Sequence[int]) -> list[np.ndarray]:
        """`tokens` of several samples, as a packed row has them; costs less than one call for each."""
        if samples and (min(samples) < 0 or max(samples) >= self.n_samples):
            raise IndexError(f"samples {min(samples)}..{max(samples)} of {self.n_samples}")
        first, shards, found = self._first_sample, self._shards, []
        for i in samples:
            number = bisect_right(first, i) - 1
            shard = shards[number]
            i -= first[number]
            at, tokens = shard.at, shard.tokens
            found.append(shard.read(at[i], at[i + 1]) if tokens is None else tokens[at[i] : at[i + 1]])
        return found

    def flat(self, start: int, stop: int) -> np.ndarray:
        """Tokens start..stop of the group as one long row: a view within a shard, a copy across shards."""
        if not 0 <= start <= stop <= self.n_tokens:
            raise IndexError(f"tokens {start}..{stop} of {self.n_tokens}")
        parts = []
        for number in self._shards_between(start, stop):
            first, shard = self._first_token[number], self._shards[number]
            parts.append(shard.read(max(start - first, 0), min(stop - first, shard.n_tokens)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def paths_between(self, start: int, stop: int) -> list[str]:
        """The shards, as paths of their tokens in the corpus, that hold tokens start..stop of `flat`."""
        return [self._shards[number].path for number in self._shards_between(start, stop)]

    def paths_of(self, samples: np.ndarray) -> list[str]:
        """The shards, as paths of their tokens in the corpus, that hold these samples (int64[n])."""
        numbers = np.unique(np.searchsorted(self._first_sample, samples, side="right") - 1)
        return [self._shards[number].path for number in numbers.tolist()]

    def _shards_between(self, start: int, stop: int) -> range:
        """Numbers of the shards that hold tokens start..stop; one of them where there are none."""
        if len(self._shards) == 1:
            return range(1)
        number = bisect_right(self._first_token, start, hi=len(self._shards)) - 1
        return range(number, max(bisect_left(self._first_token, stop, hi=len(self._shards)), number + 1))

    def column(self, name: str) -> Any:
        """One field of all samples, read from parquet.

        Flags are bool arrays; numbers are int64 arrays, or float64 with NaN where one is null; the rest are lists.
        """
        if name not in FIELDS:
            raise BadInput(f"a corpus has no column {name!r}; it has {', '.join(FIELDS)}")
        kind = SCHEMA.field(name).type
        values = pa.chunked_array(chain.from_iterable(shard.column(name) for shard in self._shards), kind)
        if pa.types.is_boolean(kind):
            return values.to_numpy()
        if pa.types.is_integer(kind) and values.null_count == 0:
            return values.to_numpy().astype(np.int64)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return values.cast(pa.float64()).to_numpy()
        return values.to_pylist()

    def texts(self, name: str, n: int = 8192) -> Iterator[list[str | None]]:
        """One text field of all samples, in order, in lists of at most n: a long group is never in memory whole."""
        return (batch.column(0).to_pylist() for batch in self.rows([name], n))

    def rows(self, names: Sequence[str], n: int = 1 << 13) -> Iterator[pa.RecordBatch]:
        """Some fields of all samples, in order, at most n samples at a time; none of them may be one of quality."""
        for shard in self._shards:
            yield from pq.ParquetFile(shard.samples_path).iter_batches(n, columns=list(names), use_threads=False)

    def sample(self, i: int) -> Sample:
        """The fields of sample i. The row group last read is kept, so neighbours cost nothing."""
        if not 0 <= i < self.n_samples:
            raise IndexError(f"sample {i} of {self.n_samples}")
        first, stop, rows = self._rows
        if not first <= i < stop:
            number = bisect_right(self._first_sample, i, hi=len(self._shards)) - 1
            first, rows = self._shards[number].row_group(i - self._first_sample[number])
            first += self._first_sample[number]
            self._rows = (first, first + len(rows), rows)
        return from_row(rows[i - first])

    def samples_at(self, numbers: np.ndarray) -> Iterator[Sample]:
        """The fields of some samples (int64[n], ascending): of each row group only the rows that are asked for are made."""
        edges = np.searchsorted(numbers, self._first_sample)
        for shard, first, a, b in zip(self._shards, self._first_sample, edges, edges[1:], strict=False):
            if b > a:
                yield from map(from_row, shard.rows_at(numbers[a:b] - first))

    def samples(self) -> Iterator[Sample]:
        """The fields of all samples, in order."""
        return (self.sample(i) for i in range(self.n_samples))


class Corpus:
    """A frozen corpus. `groups` maps (stream, language, tier) to its `Group`; `id` is the root hash.

    `staged` is where its tokens come from if they are not in its folder.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], staged: StagedTokens | None = None) -> None:
        self.staged = staged
        self.folder = folder
        self.manifest = manifest
        self.id: str = manifest["id"]
        self.name: str = manifest["name"]
        self.codec: dict[str, Any] | None = manifest["codec"]
        self.tokenizer_hash: str | None = manifest["tokenizer_hash"]
        self.groups: dict[tuple[str, str, str], Group] = {
            (one["stream"], one["language"], one["tier"]): Group(folder, one, staged) for one in manifest["groups"]
        }

    @property
    def codebook_size(self) -> int | None:
        return self.codec["codebook_size"] if self.codec else None

    @property
    def codec_hash(self) -> str | None:
        return self.codec["hash"] if self.codec else None

    def __reduce__(self):
        # Another process opens the corpus itself: pickling the maps would copy the tokens.
        if self.staged is not None:
            there = self.staged
            return open_staged_corpus, (there.source.objects.url, there.folder, there.limit, there.ahead)
        return open_corpus, (self.folder,)


def open_corpus(folder: str | Path, verify: bool = False) -> Corpus:
    """Open a frozen corpus. Reads its manifest and offsets, never its tokens.

    Raises `BadInput` for a folder without a manifest, an edited manifest, or a shard that is missing or cut short;
    with `verify`, `CheckFailed` naming the files whose bytes changed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, FORMAT)
    _check_sizes(folder, manifest, (".npy", ".parquet"))
    if verify and (damaged := verify_corpus(folder)):
        raise CheckFailed(f"{folder} is damaged in {len(damaged)} file(s): {'; '.join(damaged[:5])}; restore them")
    return Corpus(folder, manifest)


def open_staged_corpus(url: str, cache: str | Path, limit_bytes: int, ahead_bytes: int | None = None) -> Corpus:
    """Open a corpus that was pushed to `s3://bucket/prefix`, for a disk that it does not fit on.

    Its manifest, offsets and sample tables are downloaded once, checked, into `cache`; its tokens come through a bounded
    cache of whole shards in the same folder (`vaak.storage.staging`), `ahead_bytes` of them (default: `limit_bytes`) before
    they are read if they were announced. Raises `BadInput` if no whole corpus is there or the storage fails.
    """
    folder, source = pull_tables(Path(cache), url)
    manifest = read_manifest(folder, FORMAT)
    _check_sizes(folder, manifest, TABLES)
    ahead = limit_bytes if ahead_bytes is None else ahead_bytes
    return Corpus(folder, manifest, StagedTokens(source, Path(cache), limit_bytes, ahead))


def _check_sizes(folder: Path, manifest: dict[str, Any], endings: tuple[str, ...]) -> None:
    for one in manifest["files"]:
        if one["path"].endswith(endings):
            path = folder / one["path"]
            size = path.stat().st_size if path.is_file() else None
            if size != one["size"]:
                what = "is missing" if size is None else f"has {size} bytes instead of {one['size']}"
                raise BadInput(f"{path} {what}; restore it from a copy of corpus {manifest['id'][:12]}")


class _Shard:
    """One shard's three files. Offsets are mapped when it is made, tokens at their first use, or staged at each."""

    def __init__(
        self, corpus: Path, place: str, summary: dict[str, Any], dtype: np.dtype, staged: StagedTokens | None
    ) -> None:
        folder = corpus / place
        self.path = f"{place}/{summary['stem']}.tokens.npy"
        self.n_samples: int = summary["samples"]
        self.n_tokens: int = summary["tokens"]
        self.samples_path = folder / f"{summary['stem']}.samples.parquet"
        self.dtype = dtype
        self._tokens_path, self._staged = corpus / self.path, staged
        self.tokens: np.ndarray | None = (
            None  # the map, once something was read of it; a call to look would cost as much
        )
        path = folder / f"{summary['stem']}.offsets.npy"
        self.offsets = mapped(path, np.dtype(np.int64), self.n_samples + 1)
        # One offset as a plain integer costs half of numpy's own.
        self.at = self.offsets.data
        if self.offsets[0] != 0 or self.offsets[-1] != self.n_tokens:
            raise BadInput(f"{path} ends at token {self.offsets[-1]}, but the manifest has {self.n_tokens}; restore it")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Tokens start..stop of the shard."""
        if self._staged is not None:
            return self._staged.read(self.path, self.dtype, self.n_tokens, start, stop)
        if self.tokens is None:
            self.tokens = mapped(self._tokens_path, self.dtype, self.n_tokens)
        return self.tokens[start:stop]

    def column(self, name: str) -> list[pa.Array]:
        """One field of all rows, in chunks. A shard has no quality column that none of its samples has a value for."""
        if name not in pq.read_schema(self.samples_path).names:
            return [pa.nulls(self.n_samples, SCHEMA.field(name).type)]
        return pq.read_table(self.samples_path, columns=[name]).column(0).chunks

    def rows_at(self, own: np.ndarray) -> Iterator[dict[str, Any]]:
        """Some rows (int64[n], ascending); a row group that none of them is in is not read."""
        file = pq.ParquetFile(self.samples_path)
        first = 0
        for number in range(file.num_row_groups):
            n = file.metadata.row_group(number).num_rows
            wanted = own[np.searchsorted(own, first) : np.searchsorted(own, first + n)] - first
            if len(wanted):
                yield from file.read_row_group(number, use_threads=False).take(wanted).to_pylist()
            first += n
        if len(own) and int(own[-1]) >= first:
            raise BadInput(f"{self.samples_path} ends at row {first}, but row {own[-1]} is wanted; restore the file")

    def row_group(self, i: int) -> tuple[int, list[dict[str, Any]]]:
        """The row group that holds row i: its first row's number and its rows."""
        file = pq.ParquetFile(self.samples_path)
        first = 0
        for number in range(file.num_row_groups):
            n = file.metadata.row_group(number).num_rows
            if i < first + n:
                return first, file.read_row_group(number).to_pylist()
            first += n
        raise BadInput(f"{self.samples_path} ends at row {first}, but row {i} is wanted; restore the file")
