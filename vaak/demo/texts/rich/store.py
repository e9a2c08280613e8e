"""What was collected for a language: sentences, runs of sentences, words by topic, meanings, numbers in words."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from vaak.errors import BadInput
from vaak.languages import LANGUAGES

_HERE = "vaak.demo.texts.rich"


@dataclass(frozen=True)
class Store:
    """`words` has the names and nouns of each topic, `meanings` (word, what it means) of nouns and verbs, English only."""

    language: str
    sentences: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    words: dict[str, tuple[str, ...]]
    meanings: dict[str, tuple[tuple[str, str], ...]]
    numbers: dict[int, str]
    frames: dict[str, tuple[str, ...]]  # by kind


@cache
def store_of(language: str) -> Store:
    """The data of a language, read once. Raises `BadInput` for a language that the example does not have."""
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r} has no rich texts; there are: {', '.join(LANGUAGES)}")
    folder = resources.files(_HERE)
    packed = (folder / "data" / f"{language}.txt.xz").read_bytes()
    frames = yaml.safe_load((folder / "frames" / f"{language}.yaml").read_text("utf-8"))
    sentences: list[str] = []
    runs: list[tuple[str, ...]] = []
    words: dict[str, list[str]] = {}
    meanings: dict[str, list[tuple[str, str]]] = {}
    numbers: dict[int, str] = {}
    for line in lzma.decompress(packed).decode("utf-8").splitlines():
        tag, *fields = line.split("\t")
        if tag == "sentence":
            sentences += fields
        elif tag == "run":
            runs.append(tuple(fields))
        elif tag == "gloss":
            meanings.setdefault(fields[0], []).append((fields[1], fields[2]))
        elif tag == "number":
            numbers[int(fields[0])] = fields[1]
        else:
            words.setdefault(tag, []).append(fields[0])
    return Store(
        language,
        tuple(sentences),
        tuple(runs),
        {topic: tuple(found) for topic, found in words.items()},
        {kind: tuple(found) for kind, found in meanings.items()},
        numbers,
        {kind: tuple(found) for kind, found in frames.items()},
    )
