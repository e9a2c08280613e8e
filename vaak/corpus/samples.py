"""One stored sample: its fields, their parquet schema, and which of them say where it came from."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

from vaak.errors import BadInput

# The tier of samples that nobody has graded.
UNRATED = "unrated"

STREAMS = ("raw", "text", "paired")
TRANSCRIPT_KINDS = ("native", "code_mixed", "romanised", "tagged")

# The fields that every sample of a stream must know or give a reason for not knowing (SPEC C2).
_AUDIO_PROVENANCE = ("source_id", "start_ms", "end_ms", "vad_config_hash", "codec_hash", "sample_rate")
PROVENANCE: dict[str, tuple[str, ...]] = {
    "raw": _AUDIO_PROVENANCE,
    "paired": (*_AUDIO_PROVENANCE, "transcript_hash", "normalisation"),
    "text": ("source_id", "transcript_hash", "normalisation"),
}

# What somebody may want to filter by when the waveform is gone. A shard has these columns only if one of its samples has
# a value for them, so that a corpus without any is byte for byte what it was before they existed.
QUALITY = ("dnsmos", "snr_db", "characters_per_second", "asr_error_rate")

# The reason of a field that is null and whose writer said nothing more.
NOT_GIVEN = "not given when the corpus was written"

_UNSAFE = r"\s/\\\x00-\x1f\x7f"
LONGEST_ID = 200
SAFE_ID = re.compile(rf"[^{_UNSAFE}.][^{_UNSAFE}]{{0,{LONGEST_ID - 1}}}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Bytes of a file's name that come from an id, and hex digits of a hash that stands for what is cut.
_STEM_BYTES, _DIGITS = 200, 16

SAFE_TIER = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Sample:
    """Everything that is known of one sample but its tokens. What is unknown is None, with a reason in `unknown`.

    `duration_s` is seconds of audio, `sample_rate` the hertz of the recording before the codec, `start_ms` and `end_ms`
    its place in the recording that `source_id` names, `transcript_hash` the SHA-256 of the text in UTF-8.
    `normalisation` lists the steps done to the text: an empty list means none, None means unknown. Quality: `dnsmos` is
    the overall mean opinion score (1 to 5), `snr_db` decibels, `asr_error_rate` a share (0.1 is 10%).
    """

    sample_id: str
    source: str
    language: str
    speaker: str | None = None
    tier: str = "clean"
    transcript_kind: str | None = None
    transcript: str | None = None
    voice_description: str | None = None
    duration_s: float | None = None
    sample_rate: int | None = None
    source_id: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    vad_config_hash: str | None = None
    codec_hash: str | None = None
    transcript_hash: str | None = None
    normalisation: tuple[str, ...] | list[str] | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    audio: str | None = None
    audio_sha256: str | None = None
    long_form: bool = False
    held_out: bool = False
    dnsmos: float | None = None
    snr_db: float | None = None
    characters_per_second: float | None = None
    asr_error_rate: float | None = None


FIELDS = tuple(one.name for one in fields(Sample))

SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("speaker", pa.string()),
        ("tier", pa.string()),
        ("transcript_kind", pa.string()),
        ("transcript", pa.string()),
        ("voice_description", pa.string()),
        ("duration_s", pa.float64()),
        ("sample_rate", pa.int32()),
        ("source_id", pa.string()),
        ("start_ms", pa.int64()),
        ("end_ms", pa.int64()),
        ("vad_config_hash", pa.string()),
        ("codec_hash", pa.string()),
        ("transcript_hash", pa.string()),
        ("normalisation", pa.list_(pa.string())),
        ("unknown", pa.string()),
        ("audio", pa.string()),
        ("audio_sha256", pa.string()),
        ("long_form", pa.bool_()),
        ("held_out", pa.bool_()),
        *((name, pa.float64()) for name in QUALITY),
    ]
)

# Columns in which few texts stand again and again. A table of samples on its way to a shard holds each text once: the reasons
# of what is unknown alone would be hundreds of bytes a sample.
REPEATED = ("source", "language", "tier", "transcript_kind", "vad_config_hash", "codec_hash", "unknown")
TABLE_SCHEMA = pa.schema(
    [pa.field(one.name, pa.dictionary(pa.int32(), pa.string())) if one.name in REPEATED else one for one in SCHEMA]
)


def readable_id(text: str, longest: int = LONGEST_ID) -> str:
    """A name as a sample id: slashes become dots, white space underscores, a leading dot goes; "" if nothing is left.

    Of one that is too long the beginning stays and a hash of the whole stands for the rest, so that two stay two.
    """
    name = _CONTROL.sub("_", "_".join(text.split()).replace("\\", "/").replace("/", ".")).lstrip(".")
    if len(name) <= longest:
        return name
    return f"{name[: longest - _DIGITS - 1]}-{_digits(name)}"


def file_stem(sample_id: str) -> str:
    """The id as the name of a file without its suffix: of more than 200 bytes in UTF-8, as Indic text soon has, the
    beginning stays and a hash of the whole stands for the rest. File systems take 255 bytes, a suffix included."""
    data = sample_id.encode()
    if len(data) <= _STEM_BYTES:
        return sample_id
    return f"{data[: _STEM_BYTES - _DIGITS - 1].decode(errors='ignore')}-{_digits(sample_id)}"


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def to_row(sample: Sample) -> dict[str, Any]:
    """A sample as a parquet row: `unknown` becomes canonical JSON, `normalisation` a list."""
    row = dict(vars(sample))
    row["unknown"] = json.dumps(dict(sample.unknown), sort_keys=True, ensure_ascii=False)
    row["normalisation"] = None if sample.normalisation is None else list(sample.normalisation)
    return row


def from_row(row: Mapping[str, Any]) -> Sample:
    """The inverse of `to_row`. A quality column that the row does not have is None."""
    steps = row["normalisation"]
    return Sample(
        **{
            **row,
            "unknown": json.loads(row["unknown"] or "{}"),
            "normalisation": None if steps is None else tuple(steps),
        }
    )


def check_sample(stream: str, sample: Sample) -> None:
    """Raise `BadInput`, naming the sample, for a field that no corpus can hold."""
    name = f"sample {sample.sample_id!r}"
    if stream not in STREAMS:
        raise BadInput(f"{name} has stream {stream!r}; use one of {', '.join(STREAMS)}")
    if not SAFE_ID.fullmatch(sample.sample_id):
        raise BadInput(
            f"{name} needs an id of 1 to 200 characters without spaces, slashes, control characters and a leading dot"
        )
    if not SAFE_TIER.fullmatch(sample.tier):
        raise BadInput(f"{name} has tier {sample.tier!r}; use lower-case letters, digits, '-' and '_'")
    if not sample.source:
        raise BadInput(f"{name} has no source; name the dataset that it comes from")
    if sample.transcript_kind is not None and sample.transcript_kind not in TRANSCRIPT_KINDS:
        raise BadInput(
            f"{name} has transcript kind {sample.transcript_kind!r}; use {', '.join(TRANSCRIPT_KINDS)} or null"
        )
    if stream == "paired" and not (sample.transcript or "").strip():
        raise BadInput(f"{name} is paired but has no transcript; add one or store it as raw")
    if sample.duration_s is not None and not 0 < sample.duration_s < float("inf"):
        raise BadInput(f"{name} has a duration of {sample.duration_s} s; give seconds above zero, or null and a reason")
    start, end = sample.start_ms, sample.end_ms
    if (start is not None and start < 0) or (end is not None and end <= (start or 0)):
        raise BadInput(f"{name} runs from {sample.start_ms} to {sample.end_ms} ms; the end must follow the start")
    for quality in QUALITY:
        value = getattr(sample, quality)
        if value is not None and not math.isfinite(value):
            raise BadInput(f"{name} has a {quality} of {value}; give a number, or null")
    strange = sample.unknown.keys() - set(FIELDS)
    if strange:
        raise BadInput(f"{name} gives a reason for {min(strange)!r}, which is no field; use {', '.join(FIELDS)}")
    if sample.sample_rate is not None and sample.sample_rate <= 0:
        raise BadInput(f"{name} has a sample rate of {sample.sample_rate} Hz; give hertz, or null and a reason")
