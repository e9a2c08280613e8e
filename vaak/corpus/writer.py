"""Writing a corpus: samples stream into shards, and the manifest, written last, makes the folder a corpus."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from vaak.corpus.ids import SeenIds
from vaak.corpus.manifest import claim_folder, freeze_folder
from vaak.corpus.samples import NOT_GIVEN, PROVENANCE, STREAMS, Sample, check_sample, file_stem
from vaak.corpus.shards import SHARD_TOKENS, GroupWriter, hashed_files
from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.storage.files import write_bytes

FORMAT = "vaak-corpus-1"

# Sorted runs of the ids of a very long corpus, while it is written; gone when it is frozen.
_IDS = ".ids"


class CorpusWriter:
    """Writes one corpus version into `folder`, which must be empty or new.

    `codec` is `{"name", "hash", "codebook_size", "tokens_per_second", "sample_rate"}` and is needed for audio streams;
    a hash that nobody knows is None with a reason in `codec["unknown"]["hash"]`. `tokenizer_hash` is needed for text.
    A crash leaves an unfinished folder that nothing opens; `restart=True` clears such a leftover, if it is of the same
    `owner` (who writes, in a few words), and begins again. Memory holds the open row groups and at most some million ids, however many there
    are.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        codec: dict[str, Any] | None = None,
        tokenizer_hash: str | None = None,
        shard_tokens: int = SHARD_TOKENS,
        restart: bool = False,
        owner: str = "a corpus writer",
    ) -> None:
        self.folder = Path(folder)
        self.name = name
        self.codec = checked_codec(codec) if codec is not None else None
        self.tokenizer_hash = tokenizer_hash
        self.shard_tokens = shard_tokens
        self._ids = SeenIds(self.folder / _IDS)
        # Audio whose sample has not been added yet.
        self._audio: dict[str, tuple[str, str]] = {}
        self._groups: dict[tuple[str, str, str], GroupWriter] = {}
        claim_folder(self.folder, owner, name, (*STREAMS, "audio", _IDS), restart)

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
            self._groups[key] = GroupWriter(self.folder.joinpath(*key), values.dtype, self.shard_tokens)
        self._groups[key].add(sample, values)
        self._ids.add(sample.sample_id)
        self._audio.pop(sample.sample_id, None)

    def has(self, sample_id: str) -> bool:
        """Whether a sample of this id was added."""
        return sample_id in self._ids

    def add_audio(self, sample_id: str, data: bytes, suffix: str = ".ogg") -> str:
        """Keep the original audio of a sample that is added next; returns its path relative to the corpus."""
        check_sample("raw", Sample(sample_id, "audio", "en"))
        path = f"audio/{file_stem(sample_id)}{suffix}"
        write_bytes(self.folder / path, data)
        self._audio[sample_id] = (path, hashlib.sha256(data).hexdigest())
        return path

    def freeze(self) -> str:
        """Close the shards, hash every file, write the manifest; returns the corpus id. After it nothing is added."""
        if not self._groups:
            raise BadInput(f"{self.folder} got no sample; an empty corpus is not frozen")
        if self._audio:
            raise BadInput(f"audio {min(self._audio)!r} of {self.folder} has no sample; add the sample or leave it out")
        for group in self._groups.values():
            group.close()
        shutil.rmtree(self.folder / _IDS, ignore_errors=True)
        metadata = corpus_metadata(self.name, self.codec, self.tokenizer_hash, self._groups)
        return freeze_folder(self.folder, metadata, hashed_files(self._groups))["id"]

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


class Counted(Protocol):
    """What the manifest needs to know of one group."""

    shards: list[dict[str, Any]]
    source_samples: Counter[str]
    source_tokens: Counter[str]
    unknown: Counter[tuple[str, str]]
    quality: Counter[str]


def corpus_metadata(
    name: str,
    codec: dict[str, Any] | None,
    tokenizer_hash: str | None,
    groups: Mapping[tuple[str, str, str], Counted],
) -> dict[str, Any]:
    """The manifest of a corpus but for its files and its id. `groups` are closed."""
    summaries = [group_summary(key, groups[key], codec) for key in sorted(groups)]
    return {
        "format": FORMAT,
        "name": name,
        "codec": codec,
        "tokenizer_hash": tokenizer_hash,
        "samples": sum(group["samples"] for group in summaries),
        "groups": summaries,
    }


def group_summary(key: tuple[str, str, str], group: Counted, codec: dict[str, Any] | None) -> dict[str, Any]:
    """What the manifest says of one group."""
    stream, language, tier = key
    rate = codec["tokens_per_second"] if codec and stream != "text" else None
    tokens = sum(shard["tokens"] for shard in group.shards)
    return {
        "stream": stream,
        "language": language,
        "tier": tier,
        "samples": sum(shard["samples"] for shard in group.shards),
        "tokens": tokens,
        "hours": tokens / rate / 3600 if rate else None,
        "sources": {
            source: {"samples": group.source_samples[source], "tokens": group.source_tokens[source]}
            for source in sorted(group.source_samples)
        },
        "unknown": {
            name: dict(sorted((reason, n) for (one, reason), n in group.unknown.items() if one == name))
            for name in sorted({name for name, _ in group.unknown})
        },
        "shards": group.shards,
        # Only where there is some, so that a corpus without any keeps its id.
        **({"quality": dict(sorted(group.quality.items()))} if group.quality else {}),
    }


def checked_codec(codec: dict[str, Any]) -> dict[str, Any]:
    wanted = ("name", "hash", "codebook_size", "tokens_per_second", "sample_rate")
    missing = [key for key in wanted if key not in codec]
    if missing:
        raise BadInput(f"the codec of a corpus needs {', '.join(wanted)}; {missing[0]} is missing")
    unknown = codec.get("unknown", {})
    for key in wanted:
        if codec[key] is None and not unknown.get(key):
            raise BadInput(f"the {key} of the codec is null; give it, or a reason under its `unknown`")
    for key in ("codebook_size", "tokens_per_second", "sample_rate"):
        value = codec[key]
        if (value is None and key == "codebook_size") or (value is not None and not (_is_number(value) and value > 0)):
            raise BadInput(f"the {key} of codec {codec['name']} is {value!r}; it must be a number above zero")
    if codec["codebook_size"] > 65536:
        raise BadInput(f"codec {codec['name']} has {codec['codebook_size']} codes; a corpus stores at most 65,536")
    return dict(codec)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
