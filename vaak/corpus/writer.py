"""Writing a corpus: samples stream into shards, and the manifest, written last, makes the folder a corpus."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from vaak.corpus.manifest import claim_folder, freeze_folder
from vaak.corpus.samples import NOT_GIVEN, PROVENANCE, SCHEMA, STREAMS, Sample, check_sample, to_row
from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.storage.files import write_bytes

FORMAT = "vaak-corpus-1"

# 2^27 tokens: shards of 256 MiB for codes and 512 MiB for text ids.
SHARD_TOKENS = 1 << 27

_ROWS_PER_GROUP = 4096


class CorpusWriter:
    """Writes one corpus version into `folder`, which must be empty or new.

    `codec` is `{"name", "hash", "codebook_size", "tokens_per_second", "sample_rate"}` and is needed for audio streams;
    `tokenizer_hash` is needed for text. A crash leaves an unfinished folder that nothing opens; `restart=True` clears
    such a leftover and begins again. Memory holds the open row groups and the ids of the samples.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        codec: dict[str, Any] | None = None,
        tokenizer_hash: str | None = None,
        shard_tokens: int = SHARD_TOKENS,
        restart: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.name = name
        self.codec = _checked_codec(codec) if codec is not None else None
        self.tokenizer_hash = tokenizer_hash
        self.shard_tokens = shard_tokens
        self._ids: set[str] = set()
        self._audio: dict[str, tuple[str, str]] = {}
        self._groups: dict[tuple[str, str, str], _GroupWriter] = {}
        claim_folder(self.folder, name, (*STREAMS, "audio"), restart)

    def add(self, stream: str, sample: Sample, tokens: ArrayLike) -> None:
        """Store one sample. `tokens` are codes (raw, paired) or text ids (text): 1-D integers of any width.

        The language tag is normalised; the codec hash, the transcript hash and the path of audio that was added before
        are filled in; provenance that is null gets its reason. Raises `BadInput` naming the sample: duplicate id, token
        out of range, no tokens, a field that cannot be.
        """
        check_sample(stream, sample)
        if sample.sample_id in self._ids:
            raise BadInput(f"sample {sample.sample_id!r} is in {self.name} already; sample ids must be unique")
        values = self._checked_tokens(stream, sample, tokens)
        sample = self._completed(stream, sample)
        key = (stream, sample.language, sample.tier)
        if key not in self._groups:
            self._groups[key] = _GroupWriter(self.folder.joinpath(*key), values.dtype, self.shard_tokens)
        self._groups[key].add(sample, values)
        self._ids.add(sample.sample_id)

    def has(self, sample_id: str) -> bool:
        """Whether a sample of this id was added."""
        return sample_id in self._ids

    def add_audio(self, sample_id: str, data: bytes, suffix: str = ".ogg") -> str:
        """Keep the original audio of a sample that is added next; returns its path relative to the corpus."""
        check_sample("raw", Sample(sample_id, "audio", "en"))
        path = f"audio/{sample_id}{suffix}"
        write_bytes(self.folder / path, data)
        self._audio[sample_id] = (path, hashlib.sha256(data).hexdigest())
        return path

    def freeze(self) -> str:
        """Close the shards, hash every file, write the manifest; returns the corpus id. After it nothing is added."""
        if not self._groups:
            raise BadInput(f"{self.folder} got no sample; an empty corpus is not frozen")
        unused = self._audio.keys() - self._ids
        if unused:
            raise BadInput(
                f"audio {sorted(unused)[0]!r} of {self.folder} has no sample; add the sample or leave it out"
            )
        groups = [self._summary(key) for key in sorted(self._groups)]
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "codec": self.codec,
            "tokenizer_hash": self.tokenizer_hash,
            "samples": sum(group["samples"] for group in groups),
            "groups": groups,
        }
        return freeze_folder(self.folder, metadata)["id"]

    def _checked_tokens(self, stream: str, sample: Sample, tokens: ArrayLike) -> np.ndarray:
        values = np.asarray(tokens)
        name = f"sample {sample.sample_id!r}"
        if values.ndim != 1 or values.dtype.kind not in "iu" or values.size == 0:
            raise BadInput(
                f"{name} needs a 1-D array of integers with something in it, not {values.dtype}{values.shape}"
            )
        if stream == "text":
            if self.tokenizer_hash is None:
                raise BadInput(f"{name} is text; open the writer of {self.name} with its tokenizer's hash")
            limit, dtype = 1 << 32, np.uint32
        else:
            if self.codec is None:
                raise BadInput(f"{name} is audio; open the writer of {self.name} with its codec")
            limit, dtype = self.codec["codebook_size"], np.uint16
        # The range is checked before the cast: a cast would wrap 70,000 to 4,464 and -1 to 65,535.
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= limit:
            raise BadInput(f"{name} holds tokens {low}..{high}; {stream} tokens are 0..{limit - 1}")
        return values.astype(dtype)

    def _completed(self, stream: str, sample: Sample) -> Sample:
        changes: dict[str, Any] = {"language": language_of(sample.language)}
        if stream == "text":
            if sample.codec_hash is not None:
                raise BadInput(f"sample {sample.sample_id!r} is text but names a codec; leave its codec hash out")
        elif sample.codec_hash is None:
            changes["codec_hash"] = self.codec["hash"] if self.codec else None
        if sample.transcript is not None:
            digest = hashlib.sha256(sample.transcript.encode()).hexdigest()
            if sample.transcript_hash not in (None, digest):
                raise BadInput(f"sample {sample.sample_id!r} has another transcript than its hash says; correct either")
            changes["transcript_hash"] = digest
        if sample.audio is None and sample.sample_id in self._audio:
            changes["audio"], changes["audio_sha256"] = self._audio[sample.sample_id]
        elif sample.audio is not None and self._audio.get(sample.sample_id, ("",))[0] != sample.audio:
            raise BadInput(f"sample {sample.sample_id!r} names audio {sample.audio!r}; add it with add_audio first")
        known = {**vars(sample), **changes}
        missing = [name for name in PROVENANCE[stream] if known[name] is None]
        given = {name: reason for name, reason in sample.unknown.items() if known[name] is None}
        return replace(sample, **changes, unknown={**dict.fromkeys(missing, NOT_GIVEN), **given})

    def _summary(self, key: tuple[str, str, str]) -> dict[str, Any]:
        group = self._groups[key]
        group.close()
        stream, language, tier = key
        rate = self.codec["tokens_per_second"] if self.codec and stream != "text" else None
        return {
            "stream": stream,
            "language": language,
            "tier": tier,
            "samples": sum(shard["samples"] for shard in group.shards),
            "tokens": sum(shard["tokens"] for shard in group.shards),
            "hours": sum(shard["tokens"] for shard in group.shards) / rate / 3600 if rate else None,
            "sources": {
                source: {"samples": group.source_samples[source], "tokens": group.source_tokens[source]}
                for source in sorted(group.source_samples)
            },
            "unknown": {
                name: dict(sorted((reason, n) for (one, reason), n in group.unknown.items() if one == name))
                for name in sorted({name for name, _ in group.unknown})
            },
            "shards": group.shards,
        }


@dataclass
class _GroupWriter:
    """The shards of one stream/language/tier, one of them open at a time."""

    folder: Path
    dtype: np.dtype
    shard_tokens: int
    shards: list[dict[str, Any]] = field(default_factory=list)
    source_samples: Counter[str] = field(default_factory=Counter)
    source_tokens: Counter[str] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    _open: _ShardWriter | None = None

    def add(self, sample: Sample, values: np.ndarray) -> None:
        if self._open is not None and self._open.offsets[-1] + len(values) > self.shard_tokens:
            self.close()
        if self._open is None:
            self._open = _ShardWriter(self.folder, f"{len(self.shards):05d}", self.dtype)
        self._open.add(sample, values)
        self.source_samples[sample.source] += 1
        self.source_tokens[sample.source] += len(values)
        self.unknown.update(sample.unknown.items())

    def close(self) -> None:
        if self._open is not None:
            self.shards.append(self._open.close())
            self._open = None


class _ShardWriter:
    """Three files that grow together: tokens, offsets and samples."""

    def __init__(self, folder: Path, stem: str, dtype: np.dtype) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stem, self.dtype = folder, stem, dtype
        self.offsets = array("q", [0])
        self._tokens: BinaryIO = open(folder / f"{stem}.tokens.npy", "wb")  # noqa: SIM115 - closed by close()
        self._header_size = _write_header(self._tokens, dtype, 0)
        self._rows: list[dict[str, Any]] = []
        self._parquet = pq.ParquetWriter(folder / f"{stem}.samples.parquet", SCHEMA, compression="zstd")

    def add(self, sample: Sample, values: np.ndarray) -> None:
        self._tokens.write(values.tobytes())
        self.offsets.append(self.offsets[-1] + len(values))
        self._rows.append(to_row(sample))
        if len(self._rows) == _ROWS_PER_GROUP:
            self._flush_rows()

    def close(self) -> dict[str, Any]:
        self._flush_rows()
        self._parquet.close()
        # numpy leaves room in the header for the length to grow, so the final one fits over the first.
        self._tokens.seek(0)
        size = _write_header(self._tokens, self.dtype, self.offsets[-1])
        if size != self._header_size:
            raise RuntimeError(f"the header of {self.stem}.tokens.npy grew from {self._header_size} to {size} bytes")
        self._tokens.close()
        np.save(self.folder / f"{self.stem}.offsets.npy", np.frombuffer(self.offsets, np.int64), allow_pickle=False)
        return {"stem": self.stem, "samples": len(self.offsets) - 1, "tokens": self.offsets[-1]}

    def _flush_rows(self) -> None:
        if self._rows:
            self._parquet.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA), row_group_size=_ROWS_PER_GROUP)
            self._rows = []


def _write_header(file: BinaryIO, dtype: np.dtype, n: int) -> int:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _checked_codec(codec: dict[str, Any]) -> dict[str, Any]:
    wanted = ("name", "hash", "codebook_size", "tokens_per_second", "sample_rate")
    missing = [key for key in wanted if key not in codec]
    if missing:
        raise BadInput(f"the codec of a corpus needs {', '.join(wanted)}; {missing[0]} is missing")
    if not 1 <= codec["codebook_size"] <= 65536:
        raise BadInput(f"codec {codec['name']} has {codec['codebook_size']} codes; a corpus stores at most 65,536")
    return dict(codec)
