"""What there is to encode: lists of audio files (JSON lines, CSV), folders of them, parquet with the audio in it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vaak.corpus.field_names import FIELD_NAMES
from vaak.corpus.mappings import FieldMapping
from vaak.corpus.parquet_lists import is_embedded, parquet_files, parquet_rows
from vaak.corpus.samples import FIELDS, LONGEST_ID, UNRATED, Sample, check_sample, readable_id
from vaak.errors import BadInput
from vaak.languages import language_of

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")

# What a row may say about its sample; the rest (duration, hashes, rate) is measured when it is encoded.
_SAID = (
    "sample_id",
    "source",
    "language",
    "speaker",
    "tier",
    "transcript_kind",
    "transcript",
    "voice_description",
    "source_id",
    "start_ms",
    "end_ms",
    "vad_config_hash",
    "long_form",
    "held_out",
)
_QUALITY = ("dnsmos", "snr_db", "characters_per_second", "asr_error_rate")
FROM_ROW = tuple(name for name in (*_SAID, *_QUALITY) if name in FIELDS)
_TYPES = {one.name: str(one.type) for one in fields(Sample)}


@dataclass(frozen=True)
class AudioItem:
    """One recording to encode. `sample` holds what its list says; `row` is where that stands, for messages.

    With `start_ms` and `end_ms` in the sample only that part of the file is encoded. With `embedded` the recording is
    that row of column `column` of the parquet file `path`.
    """

    path: Path
    sample: Sample
    row: str
    embedded: int | None = None
    column: str = "audio"


@dataclass(frozen=True)
class BadRow:
    """A row of a list that says no recording, and why."""

    row: str
    detail: str


@dataclass(frozen=True)
class ListDefaults:
    """What rows that do not say otherwise get. Without a tier it is the mapping's, or `UNRATED`."""

    language: str | None = None
    source: str | None = None
    speaker: str | None = None
    tier: str | None = None


@dataclass(frozen=True)
class _Row:
    """One row as it stands: where, its columns, the folder its paths are relative to."""

    where: str
    values: dict[str, Any]
    folder: Path
    embedded: int | None = None
    file: Path | None = None
    held_out: bool = False


def read_list(
    path: str | Path,
    defaults: ListDefaults | None = None,
    mapping: FieldMapping | None = None,
    audio_folder: str | Path | None = None,
) -> Iterator[AudioItem]:
    """Recordings of a list, a folder, or parquet; one at a time, never all in memory.

    A list is `.jsonl` (or `.json`) with an object a line, or `.csv` or `.tsv`. A folder is all audio below it, with an
    optional `.txt` beside each, or all `.parquet` below it. A row needs `path` (also `audio`, `audio_filepath`, ...;
    relative to the list or to `audio_folder`) and a language, its own or the default; `text` or `transcript` makes it
    paired. `mapping` says which columns of a foreign list these are. Without a source it is named after the list or
    folder. Without a `sample_id` it gets its path with dots for slashes, in parquet the file's name and the row's
    number. Raises `BadInput` naming the row that cannot be read.
    """
    for one in read_rows(path, defaults, mapping, audio_folder):
        if isinstance(one, BadRow):
            raise BadInput(f"{one.row}{one.detail}")
        yield one


def read_rows(
    path: str | Path,
    defaults: ListDefaults | None = None,
    mapping: FieldMapping | None = None,
    audio_folder: str | Path | None = None,
) -> Iterator[AudioItem | BadRow]:
    """As `read_list`, but a row that says no recording is a `BadRow` and the list goes on."""
    path = Path(path)
    mapping = mapping or FieldMapping()
    defaults = defaults or ListDefaults()
    defaults = replace(
        defaults, source=defaults.source or path.resolve().stem, tier=defaults.tier or mapping.tier or UNRATED
    )
    found, columns = False, set()
    for row in _rows(path, Path(audio_folder) if audio_folder is not None else None, mapping):
        found = True
        if isinstance(row, BadRow):
            yield row
            continue
        columns |= row.values.keys()
        try:
            yield _item(row, defaults, mapping)
        except BadInput as error:
            yield BadRow(row.where, str(error))
    if not found:
        raise BadInput(f"{path} names no audio; give a list with rows or a folder with {', '.join(AUDIO_SUFFIXES)}")
    missing = [theirs for ours, theirs in mapping.columns.items() if ours not in _QUALITY and theirs not in columns]
    if missing:
        raise BadInput(f"{path} has no column {missing[0]!r} in any row but {', '.join(sorted(columns))}; map another")


def _rows(path: Path, audio_folder: Path | None, mapping: FieldMapping) -> Iterator[_Row | BadRow]:
    if path.suffix == ".parquet" or (path.is_dir() and next(path.rglob("*.parquet"), None) is not None):
        yield from _parquet_list(path, audio_folder, mapping)
    elif path.is_dir():
        yield from _folder_rows(path)
    elif path.suffix in (".jsonl", ".json"):
        yield from _jsonl_rows(path, audio_folder or path.parent)
    elif path.suffix in (".csv", ".tsv"):
        yield from _csv_rows(path, audio_folder or path.parent)
    else:
        raise BadInput(f"{path} is no list of audio; give a .jsonl, .csv or .parquet file or a folder that exists")


def _parquet_list(path: Path, audio_folder: Path | None, mapping: FieldMapping) -> Iterator[_Row]:
    audio = mapping.columns.get("path", "audio")
    for file in parquet_files(path):
        embedded = is_embedded(file, audio)
        stem = file.relative_to(path).with_suffix("") if path.is_dir() else Path(file.stem)
        # What lies above the data set, as far as it was named, says nothing of a split.
        top = path.resolve() if path.is_dir() else path.resolve().parent
        held_out = mapping.split is None and mapping.held_out_place(file.stem, stem.parts[:-1], top.name)
        for number, values in enumerate(parquet_rows(file, audio)):
            where = f"{file}, row {number}"
            if embedded:
                values = {"source_id": values[audio] or f"{stem.as_posix()}:{number}", **values}
                values = {"sample_id": f"{_id_of(stem)}-{number}", **values}
            yield _Row(where, values, audio_folder or file.parent, number if embedded else None, file, held_out)


def _folder_rows(folder: Path) -> Iterator[_Row | BadRow]:
    for path in _walk(folder):
        if not _is_text(str(path)):
            yield BadRow(repr(str(path)), " has a name that is not UTF-8; rename it")
            continue
        row: dict[str, Any] = {"path": str(path.relative_to(folder))}
        beside = path.with_suffix(".txt")
        if beside.is_file():
            try:
                row["transcript"] = beside.read_text(encoding="utf-8").strip()
            except UnicodeDecodeError as error:
                yield BadRow(str(beside), f" is not UTF-8 ({error}); convert it")
                continue
        yield _Row(str(path), row, folder)


def _walk(folder: Path) -> Iterator[Path]:
    """Audio files below a folder, sorted, one directory in memory at a time."""
    with os.scandir(folder) as entries:
        inside = sorted((entry.name, entry.is_dir()) for entry in entries)
    for name, is_folder in inside:
        if is_folder:
            yield from _walk(folder / name)
        elif name.lower().endswith(AUDIO_SUFFIXES) and (folder / name).is_file():
            yield folder / name


def _jsonl_rows(path: Path, folder: Path) -> Iterator[_Row | BadRow]:
    with _opened(path, "rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, row {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                row = json.loads(text) if text.strip() else None
            except (ValueError, RecursionError) as error:
                yield BadRow(where, f" is not valid JSON ({error}); correct or remove it")
                continue
            if isinstance(row, dict):
                yield _Row(where, row, folder)
            elif text.strip():
                yield BadRow(where, " is not a JSON object; write one object a line")


def _csv_rows(path: Path, folder: Path) -> Iterator[_Row | BadRow]:
    with _opened(path, "r", encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        try:
            for row in reader:
                where = f"{path}, row {reader.line_num}"
                if None in row or None in row.values():
                    yield BadRow(where, " has another number of columns than the header; quote its commas")
                else:
                    yield _Row(where, {key: value if value != "" else None for key, value in row.items()}, folder)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{path}, after row {reader.line_num} is no UTF-8 CSV ({error}); convert it") from error


def _opened(path: Path, mode: str, encoding: str | None = None, newline: str | None = None):
    try:
        return open(path, mode, encoding=encoding, newline=newline)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the path") from error


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _item(row: _Row, defaults: ListDefaults, mapping: FieldMapping) -> AudioItem:
    """Raises `BadInput` with what is wrong, to be read after the row's place."""
    values = _named(row, mapping)
    named = values.pop("path", None)
    if row.embedded is None and (not isinstance(named, str) or not named):
        raise BadInput(" has no path; name the audio file in a column `path`")
    for key in ("language", "source", "speaker", "tier"):
        if key not in values and getattr(defaults, key) is not None:
            values[key] = getattr(defaults, key)
    if "language" not in values:
        raise BadInput(" has no language; add a column `language` or name one for the whole list")
    try:
        values["language"] = language_of(str(values["language"]))
        if row.embedded is None:
            values = {"source_id": named, "sample_id": _default_id(str(named), values.get("start_ms")), **values}
        sample = Sample(**_typed(values))
        check_sample("paired" if sample.transcript else "raw", sample)
    except (BadInput, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadInput(f": {error}") from error
    if row.embedded is not None and row.file is not None:
        return AudioItem(row.file, sample, row.where, row.embedded, mapping.columns.get("path", "audio"))
    return AudioItem(Path(os.path.normpath(row.folder / str(named))), sample, row.where)


def _named(row: _Row, mapping: FieldMapping) -> dict[str, Any]:
    """The row's values under our names: what the mapping names, then what is usually called so."""
    values: dict[str, Any] = {}
    for ours in ("path", *FROM_ROW):
        for theirs in FIELD_NAMES[ours]:
            if row.values.get(theirs) is not None:
                values[ours] = row.values[theirs]
                break
    for ours, theirs in mapping.columns.items():
        values.pop(ours, None)
        if ours in (*FROM_ROW, "path") and row.values.get(theirs) is not None:
            values[ours] = row.values[theirs]
    values.update(mapping.constants)
    split = row.values.get(mapping.split) if mapping.split is not None else None
    if row.held_out or mapping.held_out(str(split) if split is not None else None):
        values.setdefault("held_out", True)
    return values


def _default_id(named: str, start_ms: Any) -> str:
    name = _id_of(Path(named).with_suffix(""))
    return f"{name}-{start_ms}" if start_ms is not None else name


def _id_of(path: Path) -> str:
    """Short enough for a number behind it."""
    return readable_id("/".join(part for part in path.parts if part not in ("/", ".", "..")), LONGEST_ID - 20)


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """CSV gives strings: turn them into the field's type; a text that is blank is no text."""
    typed: dict[str, Any] = {}
    for key, value in values.items():
        if _TYPES[key].startswith("bool"):
            if str(value).lower() not in ("true", "false", "1", "0", "yes", "no"):
                raise ValueError(f"{key} is {value!r}; write true or false")
            typed[key] = str(value).lower() in ("true", "1", "yes")
        elif _TYPES[key].startswith("int"):
            typed[key] = int(value)
        elif _TYPES[key].startswith("float"):
            # NaN is how tables write that a number is not known.
            typed[key] = float(value) if float(value) == float(value) else None
        elif isinstance(value, (str, int, float)):
            text = str(value).strip()
            text.encode()  # half a surrogate, which JSON can spell, is no text
            typed[key] = text or None
        else:
            raise ValueError(f"{key} is {value!r}; write a text")
    return typed
