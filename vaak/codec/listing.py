"""Which audio files are meant by a list of files, folders and lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from vaak.errors import BadInput

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")


def list_audio(places: Sequence[str]) -> list[Path]:
    """Every audio file named, lying somewhere below a folder named, or in a `.jsonl` list of {"path": ...}; sorted, each once.

    Paths in a list are relative to it. Raises `BadInput` for a place that has none, or a row of a list that is none.
    """
    found: set[Path] = set()
    for place in map(Path, places):
        if place.suffix == ".jsonl":
            here = set(_listed(place))
        elif place.is_file():
            here = {place}
        else:
            here = {path for path in place.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()}
        if not here:  # each by itself: a place that is mistyped would leave its audio out in silence
            raise BadInput(f"no audio in {place}; name files or folders with {', '.join(AUDIO_SUFFIXES)}")
        found |= here
    return sorted(found)


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); give a list of audio as JSON lines") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = path.parent / json.loads(line)["path"]
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f'{path}, row {number}: is no {{"path": ...}}; correct or remove it') from error
        if not one.is_file():
            raise BadInput(f"{path}, row {number}: {one} is not there; correct or remove it")
        yield one
