"""Blocks of JSON lines straight into Arrow columns, for the many blocks in which every line is as expected.

What needs a closer look is left to `import_rows`, which goes line by line, says what is wrong and decides what may still be
taken: a block is either read here in the same way as there, or not at all.
"""

# pyarrow makes its compute functions at import time, so type checkers cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from vaak.corpus.samples import SCHEMA

# Bytes or brackets of a line that is read here: the parser recurses, and 8 MiB of stack hold four times as many levels.
_LONGEST = 1 << 12

# Bytes of a block: what a 32-bit offset reaches.
_LARGEST = 1 << 30

# Levels of nesting: line by line a thousand are refused.
_DEEPEST = 100

# The trainer's mark for one of these that it does not know is -1; all others are above zero.
ABOVE_ZERO = ("duration_s", "sample_rate")


def read_columns(
    lines: Sequence[bytes], names: Mapping[str, Sequence[str]]
) -> tuple[dict[str, pa.Array], set[str]] | None:
    """The fields of lines that each hold one JSON object, and all names of theirs that no field took.

    names: per field of `SCHEMA` the names it may have in the lines, the first one with a value counts. A field that no line
    has a value for is absent; "" is null. None if a line is anything else than an object of the expected types, or a value
    could be a fault.
    """
    if not lines:
        return {}, set()
    kinds = _kinds(names)
    data = b"".join(lines)
    if kinds is None or len(data) > _LARGEST or not _one_object_a_line(data, lines):
        return None
    try:
        _check_utf8(data)
        table = _parse(data, kinds, _names_of(lines[0]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, orjson.JSONDecodeError):
        return None
    if len(table) != len(lines) or not _nests_little(table.schema.types):
        return None
    columns: dict[str, pa.Array] = {}
    present = dict(zip(table.column_names, table.columns, strict=True))
    for ours, theirs in names.items():
        found = [present[name] for name in theirs if name in present]
        if not found:
            continue
        column = _clean(ours, pc.coalesce(*found).combine_chunks() if len(found) > 1 else found[0].combine_chunks())
        if column is None:
            return None
        if column.null_count < len(column):
            columns[ours] = column
    return columns, set(present) - set(kinds)


def _names_of(line: bytes) -> set[str]:
    return set(orjson.loads(line))


def _parse(data: bytes, kinds: Mapping[str, pa.DataType], expected: set[str]) -> pa.Table:
    """Lines as columns, those in `kinds` of that type. A name that is not `expected` costs a second look."""
    while True:
        table = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(
                # Only those that are likely there: each more is a null to append per line.
                explicit_schema=pa.schema([(name, kind) for name, kind in kinds.items() if name in expected]),
                newlines_in_values=False,
                unexpected_field_behavior="infer",
            ),
        )
        guessed = (set(table.column_names) & set(kinds)) - expected
        if not guessed:
            return table
        expected = expected | guessed


def _kinds(names: Mapping[str, Sequence[str]]) -> dict[str, pa.DataType] | None:
    """The types that their names must have; None if one name would need two."""
    kinds: dict[str, pa.DataType] = {}
    for ours, theirs in names.items():
        kind = SCHEMA.field(ours).type
        if any(kinds.setdefault(name, kind) != kind for name in theirs):
            return None
    return kinds


def _one_object_a_line(data: bytes, lines: Sequence[bytes]) -> bool:
    """Whether lines begin with "{" and end with "}", and none can nest deeper than the parser can go.

    Then no object goes on in the next line, as "}" cannot be followed by "{" inside one, and as many objects as lines means
    one in each.
    """
    sizes = np.fromiter(map(len, lines), np.int64, len(lines))
    if sizes.min() < 3 or not lines[-1].endswith((b"}", b"}\n")):
        return False
    ends = np.cumsum(sizes)
    text = np.frombuffer(data, np.uint8)
    if not ((text[ends - sizes] == ord("{")).all() and (text[ends[:-1] - 2] == ord("}")).all()):
        return False
    long = np.flatnonzero(sizes > _LONGEST).tolist()
    return all(lines[i].count(b"{") + lines[i].count(b"[") <= _LONGEST for i in long)


def _nests_little(kinds: Iterable[pa.DataType]) -> bool:
    for _ in range(_DEEPEST):
        kinds = [kind.field(i).type for kind in kinds if pa.types.is_nested(kind) for i in range(kind.num_fields)]
        if not kinds:
            return True
    return False


def _check_utf8(data: bytes) -> None:
    """The parser takes any bytes. Raises `pa.ArrowInvalid`."""
    pa.array([data], pa.large_binary()).cast(pa.large_string())


def _clean(ours: str, column: pa.Array) -> pa.Array | None:
    """A column with what means "unknown" as null; None if a value may be impossible."""
    kind = column.type
    if pa.types.is_string(kind):
        empty = pc.equal(column, "")
        return pc.if_else(empty, pa.scalar(None, kind), column) if pc.any(empty).as_py() else column
    if pa.types.is_list(kind):
        return column if column.flatten().null_count == 0 else None
    if pa.types.is_boolean(kind):
        return column
    if ours in ABOVE_ZERO:
        column = pc.if_else(pc.equal(column, -1), pa.scalar(None, kind), column)
        if pc.all(pc.greater(column, 0)).as_py() is False:
            return None
    # Nulls do not count, and integers are all finite.
    return column if pc.all(pc.is_finite(column)).as_py() is not False else None
