"""Parsed rows into the columns of samples: defaults, the checks that every sample passes, and what stays unknown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vaak.corpus.import_rows import Rows, known_language
from vaak.corpus.samples import (
    FIELDS,
    LONGEST_ID,
    PROVENANCE,
    SAFE_ID,
    SAFE_TIER,
    SCHEMA,
    TRANSCRIPT_KINDS,
    UNRATED,
    readable_id,
)
from vaak.errors import BadInput
from vaak.languages import language_of

# The reason of whatever a source leaves out, unless the one who imports it knows a better one.
DOES_NOT_SAY = "the source that it was imported from does not say"

# Characters of an id that is made of a name and a number, before the number.
LONGEST_PREFIX = LONGEST_ID - 20


@dataclass(frozen=True)
class SampleDefaults:
    """What an import knows of its samples beside their rows.

    `language`, `source`, `tier` and `transcript_kind` are for rows that do not say; `reasons` say, per field, why it is
    unknown. `codec` is the entry of the corpus, None for text.
    """

    source: str
    language: str | None = None
    tier: str = UNRATED
    transcript_kind: str | None = None
    codec: Mapping[str, Any] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def reason(self, name: str) -> str:
        """Why a field is null."""
        if name == "codec_hash" and self.codec is not None and name not in self.reasons:
            return self.codec.get("unknown", {}).get("hash", DOES_NOT_SAY)
        return self.reasons.get(name, DOES_NOT_SAY)


def checked_defaults(defaults: SampleDefaults) -> SampleDefaults:
    """The same, or `BadInput` for a default that no sample can have."""
    if not defaults.source:
        raise BadInput("a sample needs a source; name the dataset that it comes from (--source)")
    if defaults.language is not None:
        language_of(defaults.language)
    if not SAFE_TIER.fullmatch(defaults.tier):
        raise BadInput(f"tier {defaults.tier!r} is no name; use lower-case letters, digits, '-' and '_'")
    if defaults.transcript_kind is not None and defaults.transcript_kind not in TRANSCRIPT_KINDS:
        raise BadInput(f"transcript kind {defaults.transcript_kind!r} is unknown; use {', '.join(TRANSCRIPT_KINDS)}")
    for name in defaults.reasons:
        if name not in FIELDS:
            raise BadInput(f"--unknown names {name!r}, which is no field; use one of {', '.join(FIELDS)}")
    return defaults


def complete(rows: Rows, ids: Callable[[int], str], held_out: bool, defaults: SampleDefaults) -> None:
    """Fill in what rows leave out and give a fault to each that no corpus can hold; `ids(i)` names row i if need be.

    After it the columns `sample_id`, `source`, `language`, `tier`, `transcript_kind`, `transcript`, `long_form`,
    `held_out` and, for audio, `codec_hash` are there; `transcript` is None where the row has no text that says anything.
    """
    columns, n = rows.columns, rows.n
    given = columns.get("sample_id", [None] * n)
    columns["sample_id"] = [_own_id(value) or ids(i) for i, value in enumerate(given)]
    columns["source"] = _filled(columns.get("source"), n, defaults.source)
    columns["language"] = _languages(rows, defaults)
    columns["tier"] = _named(rows, "tier", defaults.tier, SAFE_TIER.fullmatch, "lower-case letters, digits, '-', '_'")
    kinds = ", ".join(TRANSCRIPT_KINDS)
    columns["transcript_kind"] = _named(
        rows, "transcript_kind", defaults.transcript_kind, TRANSCRIPT_KINDS.__contains__, kinds
    )
    transcripts = columns.get("transcript", [None] * n)
    columns["transcript"] = [text if text is not None and not text.isspace() else None for text in transcripts]
    columns["long_form"] = _filled(columns.get("long_form"), n, False)
    columns["held_out"] = _filled(columns.get("held_out"), n, held_out)
    if defaults.codec is not None:
        columns["codec_hash"] = _filled(columns.get("codec_hash"), n, defaults.codec["hash"])
    _check_places(rows)
    _hash_transcripts(rows)


def streams(rows: Rows) -> list[str]:
    """Of each row: paired where there is a transcript, else raw."""
    return ["raw" if text is None else "paired" for text in rows.columns["transcript"]]


def sample_table(
    stream_of: Sequence[str], columns: Mapping[str, Sequence[Any]], n: int, defaults: SampleDefaults
) -> pa.Table:
    """n samples with the columns of `SCHEMA`: absent ones are null, and what is null for its stream has its reason."""
    arrays = {
        name: pa.array(columns[name], SCHEMA.field(name).type)
        for name in SCHEMA.names
        if name in columns and name != "unknown"
    }
    arrays["unknown"] = _unknown(stream_of, arrays, n, defaults)
    whole = [arrays[one.name] if one.name in arrays else pa.nulls(n, one.type) for one in SCHEMA]
    return pa.Table.from_arrays(whole, schema=SCHEMA)


def _unknown(stream_of: Sequence[str], arrays: Mapping[str, pa.Array], n: int, defaults: SampleDefaults) -> pa.Array:
    """The column of reasons. Rows that lack the same fields share one text, so few texts are made."""
    names = sorted({name for stream in set(stream_of) for name in PROVENANCE[stream]} | {"duration_s"})
    lacks: NDArray[np.int64] = np.zeros(n, np.int64)
    for bit, name in enumerate(names):
        if name not in arrays:
            lacks |= 1 << bit
        elif arrays[name].null_count:
            lacks |= arrays[name].is_null().to_numpy(zero_copy_only=False).astype(np.int64) << bit
    kinds = sorted(set(stream_of))
    stream_bits = np.array([kinds.index(stream) for stream in stream_of], np.int64) if len(kinds) > 1 else np.int64(0)
    sets, which = np.unique(lacks | stream_bits << len(names), return_inverse=True)
    texts = []
    for one in sets.tolist():
        stream = kinds[one >> len(names)]
        missing = {name for bit, name in enumerate(names) if one >> bit & 1}
        wanted = missing & {*PROVENANCE[stream], *(() if stream == "text" else ("duration_s",))}
        texts.append(json.dumps({name: defaults.reason(name) for name in wanted}, sort_keys=True, ensure_ascii=False))
    return pa.array(texts, pa.string()).take(pa.array(which))


def _own_id(value: str | None) -> str | None:
    return value if value is None or SAFE_ID.fullmatch(value) else readable_id(value) or None


def _filled(values: list[Any] | None, n: int, default: Any) -> list[Any]:
    if values is None:
        return [default] * n
    return [default if value is None else value for value in values] if None in values else values


def _languages(rows: Rows, defaults: SampleDefaults) -> list[str | None]:
    codes: dict[str | None, str | None] = {}
    tags = rows.columns.get("language", [None] * rows.n)
    for tag in set(tags):
        try:
            codes[tag] = language_of(known_language(tag) or defaults.language or "")
        except BadInput:
            codes[tag] = None
    if None in codes.values():
        for i, tag in enumerate(tags):
            if codes[tag] is None and known_language(tag):
                rows.fault(i, "unknown language", f"language {tag!r} is in no row of the table of languages")
            elif codes[tag] is None:
                rows.fault(i, "missing field", "it has no language, and no default was given (--language)")
    return [codes[tag] for tag in tags]


def _named(rows: Rows, name: str, default: str | None, allowed: Callable[[str], Any], wanted: str) -> list[str | None]:
    values = _filled(rows.columns.get(name), rows.n, default)
    strange = {value for value in set(values) if value is not None and not allowed(value)}
    for i, value in enumerate(values if strange else ()):
        if value in strange:
            rows.fault(i, "impossible value", f"{name} is {value!r}; it must be {wanted}")
    return values


def _check_places(rows: Rows) -> None:
    if "start_ms" not in rows.columns and "end_ms" not in rows.columns:
        return
    nothing = [None] * rows.n
    places = zip(rows.columns.get("start_ms", nothing), rows.columns.get("end_ms", nothing), strict=True)
    for i, (start, end) in enumerate(places):
        if (start is not None and start < 0) or (end is not None and end <= (start or 0)):
            rows.fault(i, "impossible value", f"it runs from {start} to {end} ms")


def _hash_transcripts(rows: Rows) -> None:
    said = rows.columns.get("transcript_hash")
    sha256 = hashlib.sha256
    texts = rows.columns["transcript"]
    digests = [None if text is None else sha256(text.encode()).hexdigest() for text in texts]
    if said is not None:
        for i, (digest, other) in enumerate(zip(digests, said, strict=True)):
            if digest is not None and other not in (None, digest):
                rows.fault(i, "impossible value", "its transcript is another than its transcript_hash says")
        digests = [other if digest is None else digest for digest, other in zip(digests, said, strict=True)]
    rows.columns["transcript_hash"] = digests
