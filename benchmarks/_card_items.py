"""What a codec's card is measured on: held-out audio of a list, or what ships with the example."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import orjson

from vaak.errors import BadInput
from vaak.languages import language_of


@dataclass(frozen=True)
class Item:
    """One held-out utterance. `seen`: training of the codec heard this voice, though never this sentence."""

    path: Path
    language: str
    voice: str
    engine: str
    seen: bool
    text: str


def read_list(path: Path) -> list[Item]:
    """Rows {"path", "language", "voice", "engine", "seen", "text"}; a path is relative to the list. `BadInput` otherwise."""
    items = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error}); give a file of JSON lines") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            items.append(_item(line, path.parent, f"{path}:{number}"))
    if not items:
        raise BadInput(f"{path}: names no audio; give a line for each utterance")
    return items


def _item(line: bytes, folder: Path, where: str) -> Item:
    try:
        row = orjson.loads(line)
    except ValueError as error:
        raise BadInput(f"{where}: is no JSON object ({error})") from error
    kinds = {"path": str, "language": str, "voice": str, "engine": str, "seen": bool, "text": str}
    wrong = [name for name, kind in kinds.items() if not isinstance(row, dict) or not isinstance(row.get(name), kind)]
    if wrong:
        raise BadInput(
            f"{where}: {', '.join(wrong)} is missing or of another kind; texts are strings, seen is true or false"
        )
    place = folder / row["path"]
    if not place.is_file():
        raise BadInput(f"{where}: there is no file {row['path']!r}; paths are relative to the list")
    try:
        language = language_of(row["language"])
    except BadInput:  # a stranger's: measured in sound, not in words
        language = row["language"]
    return Item(place, language, row["voice"], row["engine"], row["seen"], row["text"])


def example_items(unseen: Collection[str] | None = None) -> list[Item]:
    """The example's held-out utterances that ship with original audio.

    `unseen` names the voices that count as unseen by the codec; without it they are those that the example holds out, of
    which a codec may have heard other sentences.
    """
    import vaak.demo
    from vaak.corpus import open_corpus
    from vaak.demo.voices import VOICES

    voices = {(voice.name, voice.language): voice for voice in VOICES}
    corpus, items = open_corpus(vaak.demo.corpus_folder()), []
    for group in corpus.groups.values():
        for sample in map(group.sample, range(group.n_samples)):
            if sample.audio and sample.held_out and sample.speaker:
                voice = voices[sample.speaker, sample.language]
                strange = voice.held_out if unseen is None else voice.name in unseen
                place = Path(corpus.folder) / sample.audio
                items.append(
                    Item(place, sample.language, voice.name, voice.engine, not strange, sample.transcript or "")
                )
    return items


def limited(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of each voice (0: all), its languages in turn; in the order given."""
    if most <= 0:
        return list(items)
    voices: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, item in enumerate(items):
        voices[item.voice][item.language].append(index)
    kept: set[int] = set()
    for languages in voices.values():
        in_turn = [index for turn in zip_longest(*languages.values()) for index in turn if index is not None]
        kept.update(in_turn[:most])
    return [item for index, item in enumerate(items) if index in kept]
