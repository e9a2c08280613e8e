"""Lines of JSON into columns of samples, many at a time; each line that cannot become a sample gets its reason."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import pyarrow as pa

from vaak.corpus.field_names import FIELD_NAMES, parse_fields
from vaak.corpus.json_columns import ABOVE_ZERO, read_columns
from vaak.corpus.samples import SCHEMA

# What the trainer writes for a language that it does not know.
_UNKNOWN_LANGUAGE = "unknown"

# Fields where a number stands for a name.
_NAMES = ("sample_id", "source", "speaker", "source_id")


@dataclass(frozen=True)
class Fault:
    """Why a sample is not imported: a `kind` to count by and a sentence."""

    kind: str
    detail: str


@dataclass
class Rows:
    """Columns of some lines, by our names, each of length `n` and of its type in `SCHEMA`; one that no line has is absent.

    `faults` names, per line, what is wrong with it; its values are null then. `left` are the names in the lines that
    no field of ours took.
    """

    n: int
    columns: dict[str, pa.Array] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    def fault(self, i: int, kind: str, detail: str) -> None:
        """The first fault of a line is the one that it is set aside for."""
        self.faults.setdefault(i, Fault(kind, detail))


def field_names(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The names of what a row of codes can say, with changes such as "transcript=text"; `BadInput` for no such field."""
    names = {ours: theirs for ours, theirs in FIELD_NAMES.items() if ours in SCHEMA.names}
    return names | {ours: (theirs,) for ours, theirs in parse_fields(given, names).items()}


def parse_lines(lines: Sequence[bytes], names: Mapping[str, tuple[str, ...]]) -> Rows:
    """The fields of JSON lines as columns, typed and checked one by one; what depends on other fields is not looked at."""
    read = read_columns(lines, names)
    if read is not None:
        return Rows(len(lines), read[0], left=read[1])
    return parse_one_by_one(lines, names)


def parse_one_by_one(lines: Sequence[bytes], names: Mapping[str, tuple[str, ...]]) -> Rows:
    """The same for any lines: each value is looked at, and what cannot be becomes the fault of its line."""
    rows = Rows(len(lines))
    objects = _objects(lines, rows)
    present: set[str] = set().union(*objects)
    rows.left = set(present)
    for ours, theirs in names.items():
        found = [name for name in theirs if name in present]
        rows.left -= set(theirs)
        if not found:
            continue
        values = [one.get(found[0]) for one in objects]
        for name in found[1:]:
            values = [one.get(name) if value is None else value for value, one in zip(values, objects, strict=True)]
        typed = _typed(ours, found[0], values, rows)
        if any(value is not None for value in typed):
            rows.columns[ours] = pa.array(typed, SCHEMA.field(ours).type)
    return rows


def _objects(lines: Sequence[bytes], rows: Rows) -> list[dict[str, Any]]:
    try:
        objects = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        objects = [_object(i, line, rows) for i, line in enumerate(lines)]
    for i, one in enumerate(objects if set(map(type, objects)) != {dict} else ()):
        if type(one) is not dict:
            rows.fault(i, "invalid JSON", f"the line is no JSON object but {type(one).__name__}")
            objects[i] = {}
    return objects


def _object(i: int, line: bytes, rows: Rows) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    try:
        # NaN and Infinity are no JSON, but Python writes them; the field that holds one says so below.
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError):
        rows.fault(i, "invalid JSON", f"the line is not valid JSON ({reason})")
        return {}


def _typed(name: str, theirs: str, values: list[Any], rows: Rows) -> list[Any]:
    """The values as their field has them: "" is None, and what does not fit is a fault of its line."""
    convert = _converter(name, SCHEMA.field(name).type)
    typed = []
    for i, value in enumerate(values):
        try:
            typed.append(None if value is None else convert(value))
        except ValueError:
            kind = _WORDS[str(SCHEMA.field(name).type)]
            rows.fault(i, "wrong type", f"{theirs} is {_short(value)}, which is no {kind}")
            typed.append(None)
    return _numbers(name, theirs, typed, rows)


_WORDS = {
    "string": "text",
    "double": "number",
    "int32": "whole number",
    "int64": "whole number",
    "bool": "true or false",
    "list<item: string>": "list of texts",
}


def _converter(name: str, kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_string(kind):
        return partial(_text, name in _NAMES)
    if pa.types.is_floating(kind):
        return _number
    if pa.types.is_integer(kind):
        return partial(_integer, 31 if pa.types.is_int32(kind) else 63)
    return _flag if pa.types.is_boolean(kind) else _steps


def _text(is_name: bool, value: Any) -> str | None:
    if is_name and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError
    return value or None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError from error


def _integer(bits: int, value: Any) -> int:
    number = _number(value)
    if not number.is_integer() or not -(2**bits) <= int(value) < 2**bits:
        raise ValueError
    return int(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _steps(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError
    return value


def _numbers(name: str, theirs: str, values: list[Any], rows: Rows) -> list[Any]:
    """Finite numbers, above zero where only that can be, with the trainer's mark for an unknown one taken away."""
    for i, value in enumerate(values):
        if not isinstance(value, int | float):
            continue
        if name in ABOVE_ZERO and value == -1:
            values[i] = None
        elif not math.isfinite(value) or (name in ABOVE_ZERO and value <= 0):
            rows.fault(i, "impossible value", f"{theirs} is {value}")
            values[i] = None
    return values


def known_language(tag: str | None) -> str | None:
    """A tag that says something: not empty, and not the trainer's word for a language that it does not know."""
    return tag if tag and tag.strip().lower() != _UNKNOWN_LANGUAGE else None


def _short(value: Any) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply"
    return shown if len(shown) <= 60 else shown[:57] + "..."
