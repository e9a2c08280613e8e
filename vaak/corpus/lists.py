"""What there is to encode: lists of audio files (JSONL, CSV) and folders of them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vaak.corpus.samples import Sample, check_sample
from vaak.errors import BadInput
from vaak.languages import language_of

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")

# Other names that lists use for our fields.
_ALIASES = {
    "audio": "path",
    "audio_filepath": "path",
    "audio_path": "path",
    "file": "path",
    "text": "transcript",
    "lang": "language",
    "locale": "language",
    "speaker_id": "speaker",
    "id": "sample_id",
}

# What a row may say about its sample; the rest (duration, hashes, rate) is measured when it is encoded.
_FROM_ROW = [
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
]


@dataclass(frozen=True)
class AudioItem:
    """One recording to encode. `sample` holds what its list says; `row` is where that stands, for messages.

    With `start_ms` and `end_ms` in the sample only that part of the file is encoded.
    """

    path: Path
    sample: Sample
    row: str


@dataclass(frozen=True)
class ListDefaults:
    """What rows that do not say otherwise get."""

    language: str | None = None
    source: str | None = None
    speaker: str | None = None
    tier: str = "clean"


def read_list(path: str | Path, defaults: ListDefaults | None = None) -> Iterator[AudioItem]:
    """Recordings of a `.jsonl` or `.csv` list, or of all audio below a folder (with an optional `.txt` beside each).

    A row needs `path` (also `audio`, `audio_filepath`, ...; relative to the list) and a language, its own or the
    default; `text` or `transcript` makes it paired. Without a source it is named after the list or folder. Without a
    `sample_id` it gets its path with dots for slashes. Raises `BadInput` naming the row that cannot be read.
    """
    path = Path(path)
    defaults = defaults or ListDefaults()
    if path.is_dir():
        rows, folder = _folder_rows(path), path
    elif path.suffix == ".jsonl":
        rows, folder = _jsonl_rows(path), path.parent
    elif path.suffix in (".csv", ".tsv"):
        rows, folder = _csv_rows(path), path.parent
    else:
        raise BadInput(f"{path} is no list of audio; give a .jsonl or .csv file or a folder that exists")
    found = False
    for where, row in rows:
        found = True
        yield _item(row, where, folder, replace(defaults, source=defaults.source or path.stem))
    if not found:
        raise BadInput(f"{path} names no audio; give a list with rows or a folder with {', '.join(AUDIO_SUFFIXES)}")


def _folder_rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in AUDIO_SUFFIXES or not path.is_file():
            continue
        row: dict[str, Any] = {"path": str(path.relative_to(folder))}
        beside = path.with_suffix(".txt")
        if beside.is_file():
            try:
                row["transcript"] = beside.read_text(encoding="utf-8").strip()
            except UnicodeDecodeError as error:
                raise BadInput(f"{beside} is not UTF-8 ({error}); convert it") from error
        yield str(path), row


def _jsonl_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadInput(f"{path}, row {number} is not valid JSON ({error}); correct or remove it") from error
            if not isinstance(row, dict):
                raise BadInput(f"{path}, row {number} is not a JSON object; write one object a line")
            yield f"{path}, row {number}", row


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with _opened(path) as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        for row in reader:
            where = f"{path}, row {reader.line_num}"
            if None in row or None in row.values():
                raise BadInput(f"{where} has another number of columns than the header; quote its commas")
            yield where, {key: value for key, value in row.items() if value != ""}


def _opened(path: Path):
    try:
        return open(path, encoding="utf-8-sig", newline="")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the path") from error


def _item(row: dict[str, Any], where: str, folder: Path, defaults: ListDefaults) -> AudioItem:
    row = {_ALIASES.get(key, key): value for key, value in row.items()}
    named = row.get("path")
    if not isinstance(named, str) or not named:
        raise BadInput(f"{where} has no path; name the audio file in a column `path`")
    path = Path(os.path.normpath(folder / named))
    values = {key: row[key] for key in _FROM_ROW if row.get(key) is not None}
    for key in ("language", "source", "speaker", "tier"):
        if key not in values and getattr(defaults, key) is not None:
            values[key] = getattr(defaults, key)
    if "language" not in values:
        raise BadInput(f"{where} has no language; add a column `language` or name one for the whole list")
    try:
        values["language"] = language_of(str(values["language"]))
        sample = Sample(**_typed({"source_id": named, "sample_id": _default_id(named, values), **values}))
        check_sample("paired" if sample.transcript else "raw", sample)
    except (BadInput, ValueError) as error:
        raise BadInput(f"{where}: {error}") from error
    return AudioItem(path, sample, where)


def _default_id(named: str, values: dict[str, Any]) -> str:
    parts = [part for part in Path(named).with_suffix("").parts if part not in ("/", ".", "..")]
    name = "_".join(".".join(parts).split()).lstrip(".")[-180:]
    return f"{name}-{values['start_ms']}" if "start_ms" in values else name


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """CSV gives strings: turn them into the field's type; a text that is blank is no text."""
    types = {one.name: str(one.type) for one in fields(Sample)}
    typed: dict[str, Any] = {}
    for key, value in values.items():
        if types[key].startswith("bool"):
            if str(value).lower() not in ("true", "false", "1", "0", "yes", "no"):
                raise ValueError(f"{key} is {value!r}; write true or false")
            typed[key] = str(value).lower() in ("true", "1", "yes")
        elif types[key].startswith("int"):
            typed[key] = int(value)
        else:
            typed[key] = str(value).strip() or None
    return typed
