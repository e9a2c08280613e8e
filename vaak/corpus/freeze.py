"""Freezing a folder of finished shards that something else wrote: everything is checked, then the manifest is written."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vaak.corpus.ids import SeenIds
from vaak.corpus.import_source import ArrayFile, open_array, read_values
from vaak.corpus.manifest import MANIFEST, UNFINISHED, freeze_folder
from vaak.corpus.samples import PROVENANCE, QUALITY, SAFE_TIER, SCHEMA, STREAMS, Sample, check_sample, from_row
from vaak.corpus.writer import checked_codec, corpus_metadata
from vaak.errors import BadInput
from vaak.languages import LANGUAGES
from vaak.storage.files import list_files, sha256_file

_FILE = re.compile(r"(\d{5})\.(tokens\.npy|offsets\.npy|samples\.parquet)")

# Columns without which a row is no sample.
_NEVER_NULL = ("sample_id", "source", "language", "tier", "unknown", "long_form", "held_out")

# Tokens that are looked at at a time.
_PIECE = 1 << 22


@dataclass
class GroupCounts:
    """What the manifest counts in one group."""

    shards: list[dict[str, Any]] = field(default_factory=list)
    source_samples: Counter[str] = field(default_factory=Counter)
    source_tokens: Counter[str] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    quality: Counter[str] = field(default_factory=Counter)


def freeze_corpus(
    folder: Path, name: str, codec: Mapping[str, Any] | None = None, tokenizer_hash: str | None = None
) -> str:
    """Check the shards of `folder` against the format, every token and row, and write the manifest; returns the id.

    The folder holds `<stream>/<language>/<tier>/NNNNN.*` and perhaps `audio/`, and nothing else. Raises `BadInput` naming
    the first file that is not as the format says, and for a folder that is frozen or is still being written.
    """
    if (folder / MANIFEST).exists():
        raise BadInput(f"{folder} is frozen already; a changed corpus is a new folder")
    if (folder / UNFINISHED).exists():
        raise BadInput(f"{folder} is unfinished: run the command that began it again, and it freezes it itself")
    described = checked_codec(dict(codec)) if codec is not None else None
    groups: dict[tuple[str, str, str], GroupCounts] = {}
    with tempfile.TemporaryDirectory() as spool:
        ids = SeenIds(Path(spool))
        for key, stems in _stems(folder).items():
            if key[0] == "text" and tokenizer_hash is None:
                raise BadInput(f"{folder} holds text; name its tokenizer")
            if key[0] != "text" and described is None:
                raise BadInput(f"{folder} holds codes; name their codec")
            limit = 1 << 32 if key[0] == "text" else int((described or {})["codebook_size"])
            groups[key] = GroupCounts()
            for stem in stems:
                _count_shard(folder, key, stem, limit, ids, groups[key])
    metadata = corpus_metadata(name, described, tokenizer_hash, groups)
    return freeze_folder(folder, metadata)["id"]


def _stems(folder: Path) -> dict[tuple[str, str, str], list[str]]:
    found: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for path in list_files(folder):
        parts = path.split("/")
        match = _FILE.fullmatch(parts[-1])
        if parts[0] == "audio" and len(parts) == 2:
            continue
        if len(parts) != 4 or match is None or parts[0] not in STREAMS or parts[1] not in LANGUAGES:
            raise BadInput(f"{folder / path} is no file of a corpus; move it away")
        if not SAFE_TIER.fullmatch(parts[2]):
            raise BadInput(f"{folder / path} stands in a tier {parts[2]!r}; rename it to lower-case letters and digits")
        found.setdefault((parts[0], parts[1], parts[2]), {}).setdefault(match[1], set()).add(match[2])
    if not found:
        raise BadInput(f"{folder} holds no shard; name a folder with <stream>/<language>/<tier>/00000.tokens.npy")
    for key, stems in found.items():
        for number, stem in enumerate(sorted(stems)):
            place = folder.joinpath(*key)
            if stem != f"{number:05d}":
                raise BadInput(f"{place} has shard {stem} where {number:05d} should be; number them from 00000")
            for part in ("tokens.npy", "offsets.npy", "samples.parquet"):
                if part not in stems[stem]:
                    raise BadInput(f"{place / stem}.{part} is missing; restore it")
    return {key: sorted(stems) for key, stems in found.items()}


def _count_shard(
    folder: Path, key: tuple[str, str, str], stem: str, limit: int, ids: SeenIds, counts: GroupCounts
) -> None:
    place = folder.joinpath(*key)
    dtype = np.dtype("<u4" if key[0] == "text" else "<u2")
    tokens = _array(place / f"{stem}.tokens.npy", dtype)
    offsets = _array(place / f"{stem}.offsets.npy", np.dtype("<i8"))
    _check_tokens(tokens, limit)
    path = place / f"{stem}.samples.parquet"
    try:
        rows = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read as parquet ({error}); restore it") from error
    wanted = [one for one in SCHEMA if one.name not in QUALITY or one.name in rows.schema_arrow.names]
    if not rows.schema_arrow.equals(pa.schema(wanted), check_metadata=False):
        raise BadInput(f"{path} has other columns or types than the format; they are {', '.join(SCHEMA.names)}")
    if rows.metadata.num_rows + 1 != offsets.n:
        raise BadInput(f"{path} has {rows.metadata.num_rows} rows, its offsets are {offsets.n}; they must be one more")
    last, row = 0, 0
    with open(offsets.path, "rb") as file:
        if int(read_values(offsets, file, 0, 1)[0]) != 0:
            raise BadInput(f"{offsets.path} does not begin at 0; write offsets from 0 in every shard")
        for batch in _batches(path, rows):
            ends = read_values(offsets, file, row + 1, row + 1 + len(batch))
            lengths = np.diff(ends, prepend=last)
            if (lengths <= 0).any():
                raise BadInput(f"{offsets.path}, row {row + int(np.argmax(lengths <= 0))} has no token; leave it out")
            samples = _samples(path, row, batch)
            _check_rows(path, key, row, samples, folder)
            again = ids.add_all([sample.sample_id for sample in samples])
            if again.any():
                raise BadInput(f"{path}: sample {samples[int(np.argmax(again))].sample_id!r} is in the corpus already")
            for sample, length in zip(samples, lengths.tolist(), strict=True):
                counts.source_samples[sample.source] += 1
                counts.source_tokens[sample.source] += length
                counts.unknown.update(sample.unknown.items())
                counts.quality.update(name for name in QUALITY if getattr(sample, name) is not None)
            last, row = int(ends[-1]), row + len(batch)
    if last != tokens.n:
        raise BadInput(f"{offsets.path} ends at token {last}, but the shard has {tokens.n}; restore one of them")
    counts.shards.append({"stem": stem, "samples": row, "tokens": tokens.n})


def _batches(path: Path, rows: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows, each batch checked for texts that are none. The footer may be whole where a page is damaged."""
    try:
        for batch in rows.iter_batches():
            batch.validate(full=True)
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read to its end ({_first_line(error)}); restore it") from error


def _samples(path: Path, first: int, batch: pa.RecordBatch) -> list[Sample]:
    samples = []
    for number, one in enumerate(batch.to_pylist(), first):
        lacking = [name for name in _NEVER_NULL if one[name] is None]
        if lacking:
            raise BadInput(f"{path}, row {number} has no {lacking[0]}; every sample needs one")
        if None in (one["normalisation"] or ()):
            raise BadInput(f"{path}, row {number} has a normalisation step that is null; name it or leave it out")
        try:
            sample = from_row(one)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"{path}, row {number} has an `unknown` that is not valid JSON ({error}); correct it"
            ) from error
        if not isinstance(sample.unknown, dict) or not all(type(why) is str and why for why in sample.unknown.values()):
            raise BadInput(f"{path}, row {number} has an `unknown` that is no object of reasons; write field: reason")
        samples.append(sample)
    return samples


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _array(path: Path, dtype: np.dtype) -> ArrayFile:
    array = open_array(path, None)
    if array.dtype != dtype or array.left_over:
        what = f"is cut: {array.left_over} bytes are no whole value" if array.left_over else f"holds {array.dtype}"
        raise BadInput(f"{path} {what}; it must be a whole array of {dtype}")
    return array


def _check_tokens(tokens: ArrayFile, limit: int) -> None:
    with open(tokens.path, "rb") as file:
        for start in range(0, tokens.n, _PIECE):
            highest = int(read_values(tokens, file, start, min(start + _PIECE, tokens.n)).max())
            if highest >= limit:
                raise BadInput(f"{tokens.path} holds token {highest}; tokens are 0..{limit - 1}")


def _check_rows(path: Path, key: tuple[str, str, str], first: int, samples: list[Sample], folder: Path) -> None:
    stream, language, tier = key
    for number, sample in enumerate(samples):
        try:
            check_sample(stream, sample)
        except BadInput as error:
            raise BadInput(f"{path}, row {first + number}: {error}") from error
        if (sample.language, sample.tier) != (language, tier):
            raise BadInput(
                f"{path}, row {first + number} is {sample.language}/{sample.tier}; it stands in the wrong folder"
            )
        nameless = [name for name in PROVENANCE[stream] if getattr(sample, name) is None and name not in sample.unknown]
        if nameless:
            raise BadInput(f"{path}, row {first + number} has no {nameless[0]} and no reason; give one in `unknown`")
        if sample.transcript is not None and sample.transcript_hash != sha256(sample.transcript.encode()).hexdigest():
            raise BadInput(f"{path}, row {first + number} has another transcript than its hash says; correct either")
        if sample.audio is not None or sample.audio_sha256 is not None:
            _check_audio(f"{path}, row {first + number}", sample, folder)


def _check_audio(where: str, sample: Sample, folder: Path) -> None:
    """A name of one file in `audio/`, nowhere else, and its hash."""
    audio = sample.audio or ""
    inside = audio.removeprefix("audio/")
    if audio == inside or "/" in inside or "\\" in inside or inside in ("", ".", "..") or "\0" in inside:
        raise BadInput(f"{where} names audio {sample.audio!r}, which is no file of audio/; move it there")
    if not (folder / audio).is_file():
        raise BadInput(f"{where} names audio {audio!r}, which is not there; restore it")
    if sha256_file(folder / audio) != sample.audio_sha256:
        raise BadInput(f"{where} has another audio_sha256 than {folder / audio} has; correct either")
