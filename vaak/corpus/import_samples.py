"""Parsed rows into the columns of samples: defaults, the checks that every sample passes, and what stays unknown."""

# pyarrow makes its compute functions at import time, so type checkers cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vaak.corpus.import_rows import Rows, known_language
from vaak.corpus.samples import (
    FIELDS,
    LONGEST_ID,
    PROVENANCE,
    SAFE_ID,
    SAFE_TIER,
    SCHEMA,
    TABLE_SCHEMA,
    TRANSCRIPT_KINDS,
    UNRATED,
    readable_id,
)
from vaak.errors import BadInput
from vaak.languages import language_of

# The reason of whatever a source leaves out, unless the one who imports it knows a better one.
DOES_NOT_SAY = "the source that it was imported from does not say"

# What no id has, in the terms of RE2, which knows white space of ASCII alone as "\\s". Python decides on what has one.
_MAYBE_UNSAFE = r"^$|^\.|[\pZ\x{85}/\\\x00-\x1f\x7f]"
_NO_SPACE = r"[^\pZ\x{85}\x09-\x0d\x1c-\x1f]"

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
    `held_out` and, for audio, `codec_hash` are there; `transcript` is null where the row has no text that says anything.
    """
    columns = rows.columns
    columns["sample_id"] = _ids(_column(rows, "sample_id"), ids)
    _fill(rows, "source", defaults.source)
    columns["language"] = _languages(rows, defaults)
    _fill(rows, "tier", defaults.tier)
    _check_names(rows, "tier", SAFE_TIER.fullmatch, "lower-case letters, digits, '-', '_'")
    _fill(rows, "transcript_kind", defaults.transcript_kind)
    _check_names(rows, "transcript_kind", TRANSCRIPT_KINDS.__contains__, ", ".join(TRANSCRIPT_KINDS))
    text = _column(rows, "transcript")
    columns["transcript"] = pc.if_else(pc.match_substring_regex(text, _NO_SPACE), text, pa.scalar(None, pa.string()))
    _fill(rows, "long_form", False)
    _fill(rows, "held_out", held_out)
    if defaults.codec is not None:
        _fill(rows, "codec_hash", defaults.codec["hash"])
    _check_places(rows)
    _hash_transcripts(rows)


def streams(rows: Rows) -> pa.Array:
    """Of each row: paired where there is a transcript, else raw."""
    return pc.if_else(rows.columns["transcript"].is_null(), "raw", "paired")


def sample_table(stream_of: pa.Array, columns: Mapping[str, pa.Array], defaults: SampleDefaults) -> pa.Table:
    """Samples with the columns of `TABLE_SCHEMA`: absent ones are null, what is null for its stream has its reason."""
    n = len(stream_of)
    arrays = {name: columns[name] for name in SCHEMA.names if name in columns and name != "unknown"}
    arrays["unknown"] = _unknown(stream_of, arrays, defaults)
    whole = [arrays[one.name].cast(one.type) if one.name in arrays else pa.nulls(n, one.type) for one in TABLE_SCHEMA]
    return pa.Table.from_arrays(whole, schema=TABLE_SCHEMA)


def _unknown(stream_of: pa.Array, arrays: Mapping[str, pa.Array], defaults: SampleDefaults) -> pa.Array:
    """The column of reasons. Rows that lack the same fields share one text, so few texts are made."""
    coded = stream_of.dictionary_encode()
    kinds = coded.dictionary.to_pylist()
    names = sorted({name for stream in kinds for name in PROVENANCE[stream]} | {"duration_s"})
    lacks: NDArray[np.int64] = np.zeros(len(stream_of), np.int64)
    for bit, name in enumerate(names):
        if name not in arrays:
            lacks |= 1 << bit
        elif arrays[name].null_count:
            lacks |= _numpy(arrays[name].is_null()).astype(np.int64) << bit
    sets, which = np.unique(lacks | _numpy(coded.indices).astype(np.int64) << len(names), return_inverse=True)
    texts = []
    for one in sets.tolist():
        stream = kinds[one >> len(names)]
        missing = {name for bit, name in enumerate(names) if one >> bit & 1}
        wanted = missing & {*PROVENANCE[stream], *(() if stream == "text" else ("duration_s",))}
        texts.append(json.dumps({name: defaults.reason(name) for name in wanted}, sort_keys=True, ensure_ascii=False))
    return pa.DictionaryArray.from_arrays(pa.array(which, pa.int32()), pa.array(texts, pa.string()))


def _column(rows: Rows, name: str) -> pa.Array:
    found = rows.columns.get(name)
    return found if found is not None else pa.nulls(rows.n, SCHEMA.field(name).type)


def _fill(rows: Rows, name: str, default: Any) -> None:
    kind = SCHEMA.field(name).type
    column = rows.columns.get(name)
    if column is None:
        rows.columns[name] = pa.repeat(pa.scalar(default, kind), rows.n)
    elif column.null_count and default is not None:
        rows.columns[name] = pc.fill_null(column, pa.scalar(default, kind))


def _ids(given: pa.Array, ids: Callable[[int], str]) -> pa.Array:
    """The ids that rows give, made readable where need be, and those that they are given where they have none."""
    safe = pc.and_(
        pc.invert(pc.match_substring_regex(given, _MAYBE_UNSAFE)), pc.less_equal(pc.utf8_length(given), LONGEST_ID)
    )
    others = np.flatnonzero(~_numpy(pc.fill_null(safe, False)))
    if len(others) == 0:
        return given
    names = given.to_pylist()
    for i in others.tolist():
        names[i] = _own_id(names[i]) or ids(i)
    return pa.array(names, pa.string())


def _own_id(value: str | None) -> str | None:
    return value if value is None or SAFE_ID.fullmatch(value) else readable_id(value) or None


def _languages(rows: Rows, defaults: SampleDefaults) -> pa.Array:
    coded = _column(rows, "language").dictionary_encode(null_encoding="encode")
    tags = coded.dictionary.to_pylist()
    codes: list[str | None] = []
    for number, tag in enumerate(tags):
        try:
            codes.append(language_of(known_language(tag) or defaults.language or ""))
        except BadInput:
            codes.append(None)
            kind, detail = "missing field", "it has no language, and no default was given (--language)"
            if known_language(tag):
                kind, detail = "unknown language", f"language {tag!r} is in no row of the table of languages"
            for i in np.flatnonzero(_numpy(coded.indices) == number).tolist():
                rows.fault(i, kind, detail)
    return pa.array(codes, pa.string()).take(coded.indices)


def _check_names(rows: Rows, name: str, allowed: Callable[[str], Any], wanted: str) -> None:
    """A fault for each row whose value is none of those that are allowed."""
    column = rows.columns[name]
    strange = [value for value in pc.unique(column).to_pylist() if value is not None and not allowed(value)]
    if strange:
        for i in np.flatnonzero(_numpy(pc.is_in(column, pa.array(strange, pa.string())))).tolist():
            rows.fault(i, "impossible value", f"{name} is {column[i].as_py()!r}; it must be {wanted}")


def _check_places(rows: Rows) -> None:
    if "start_ms" not in rows.columns and "end_ms" not in rows.columns:
        return
    start, end = _column(rows, "start_ms"), _column(rows, "end_ms")
    before = pc.fill_null(pc.less(start, 0), False)
    empty = pc.fill_null(pc.less_equal(end, pc.fill_null(start, 0)), False)
    for i in np.flatnonzero(_numpy(pc.or_(before, empty))).tolist():
        rows.fault(i, "impossible value", f"it runs from {start[i].as_py()} to {end[i].as_py()} ms")


def _hash_transcripts(rows: Rows) -> None:
    sha256 = hashlib.sha256
    texts = rows.columns["transcript"].cast(pa.binary()).to_pylist()
    digests = pa.array([None if text is None else sha256(text).hexdigest() for text in texts], pa.string())
    said = rows.columns.get("transcript_hash")
    if said is not None:
        for i in np.flatnonzero(_numpy(pc.fill_null(pc.not_equal(digests, said), False))).tolist():
            rows.fault(i, "impossible value", "its transcript is another than its transcript_hash says")
        digests = pc.coalesce(digests, said)
    rows.columns["transcript_hash"] = digests


def _numpy(column: pa.Array) -> NDArray[Any]:
    return column.to_numpy(zero_copy_only=False)
