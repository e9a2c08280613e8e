"""A dump like a crawl's, in twelve languages: what benchmarks/text.py and the pipeline beside it read.

Documents are real sentences (those that the example collected, and the documents of tests/data/text where that folder is
there) in another order each time, with other numbers, some words exchanged and some words made of two, so that documents
are distinct and words have a long tail. Planted among them is what a crawl holds: see `KINDS`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import orjson

from vaak.demo.texts import sentences_of
from vaak.demo.texts.rich import rich_sentences
from vaak.demo.texts.rich.store import store_of
from vaak.languages import LANGUAGES, script_of

# Shares of documents. A near duplicate has 2% of its words exchanged; "plain" is the rest.
KINDS = {
    "exact duplicate": 0.02,
    "near duplicate": 0.03,
    "short": 0.03,
    "wrong language": 0.02,
    "repetitive": 0.02,
    "markup": 0.10,
    "mojibake": 0.01,
}
ENGLISH = 0.5  # share of the bytes; the other languages share the rest equally
PART = 5_000_000  # bytes of text in a file
SHORTEST, LONGEST = 150, 8_000  # characters of a document, but for the short ones
_TYPICAL, _SPREAD = 7.2, 0.9  # of the logarithm of its characters: half are under 1,340
_FRAMED = 1_500  # sentences of a language that are made from frames, beside the collected ones
_EDITED = 0.02
_EXCHANGED, _MADE = 0.06, 0.03  # shares of words
_REMEMBERED = 200  # documents of which there may come a duplicate

_FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "data" / "text"
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Dump:
    """`files` by language, `size` in bytes of UTF-8 of the texts; `kinds` and `originals` (of duplicates) by document id."""

    folder: Path
    files: dict[str, tuple[Path, ...]]
    size: int
    kinds: dict[str, str]
    originals: dict[str, str]


@dataclass
class _Words:
    """What documents of one language are made of. Sentences are dealt like cards, so that none comes twice too soon."""

    language: str
    sentences: list[str]
    words: list[str]
    hand: list[str] = field(default_factory=list)


def write_dump(folder: Path, megabytes: float, seed: int) -> Dump:
    """`folder/LANGUAGE/00000.jsonl.gz` …, rows of text, id and language; the same bytes for the same arguments."""
    rng = random.Random(seed)
    known = {language: _words_of(language, rng) for language in LANGUAGES}
    files: dict[str, tuple[Path, ...]] = {}
    kinds: dict[str, str] = {}
    originals: dict[str, str] = {}
    size = 0
    for language in LANGUAGES:
        share = ENGLISH if language == "en" else (1 - ENGLISH) / (len(LANGUAGES) - 1)
        target = int(megabytes * 1e6 * share)
        rows = _rows(language, known, rng, kinds, originals)
        parts: list[Path] = []
        while target > 0:
            parts.append(folder / language / f"{len(parts):05d}.jsonl.gz")
            written = _write_part(parts[-1], rows, min(target, PART))
            size, target = size + written, target - written
        files[language] = tuple(parts)
    return Dump(folder, files, size, kinds, originals)


def texts_of(dump: Dump, language: str) -> Iterator[str]:
    """The texts of a language, in the order of the files."""
    for path in dump.files[language]:
        with gzip.open(path) as file:
            for line in file:
                yield orjson.loads(line)["text"]


def _write_part(path: Path, rows: Iterator[dict[str, str]], target: int) -> int:
    """Write rows until their texts have `target` bytes; how many they have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    # The time of writing would make equal dumps differ.
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 4, raw, mtime=0) as file:
        while written < target:
            row = next(rows)
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            written += len(row["text"].encode())
    return written


def _words_of(language: str, rng: random.Random) -> _Words:
    store = store_of(language)
    found = dict.fromkeys([*store.sentences, *(" ".join(run) for run in store.runs)])
    found.update(dict.fromkeys(one.text for one in rich_sentences(language, rng, _FRAMED) if one.kind != "romanised"))
    path = _FIXTURES / f"{language}.jsonl"
    if path.exists():
        rows = map(json.loads, path.read_text("utf-8").splitlines())
        found.update(dict.fromkeys(one for row in rows for one in _plain_sentences(row["text"], language)))
    sentences = list(found)
    words = [word for one in sentences for word in one.split() if word[0].isalpha()]
    return _Words(language, sentences, words)


def _plain_sentences(text: str, language: str) -> list[str]:
    """Sentences of 20 to 400 characters that are, by their script, of the language."""
    script = LANGUAGES[language].script
    cut = [one.strip() for line in text.splitlines() for one in sentences_of(line)]
    return [one for one in cut if 20 <= len(one) <= 400 and script_of(one).get(script, 0.0) > 0.9]


def _rows(
    language: str, known: dict[str, _Words], rng: random.Random, kinds: dict[str, str], originals: dict[str, str]
) -> Iterator[dict[str, str]]:
    """Documents without end; what each is goes into `kinds`, of what it is a duplicate into `originals`."""
    words = known[language]
    others = [one for code, one in known.items() if code != language]
    remembered: list[tuple[str, str]] = []
    number = 0
    while True:
        name = f"{language}-{number:07d}"
        number += 1
        kind = rng.choices([*KINDS, "plain"], [*KINDS.values(), 1 - sum(KINDS.values())])[0]
        if kind.endswith("duplicate"):
            if not remembered:
                continue
            originals[name], text = rng.choice(remembered)
            text = _edited(text, words, rng) if kind == "near duplicate" else text
        else:
            text = _text(kind, words, rng.choice(others), rng)
        if kind in ("plain", "markup"):
            remembered = [*remembered[1 - _REMEMBERED :], (name, text)]
        kinds[name] = kind
        yield {"text": text, "id": name, "language": language}


def _text(kind: str, words: _Words, other: _Words, rng: random.Random) -> str:
    if kind == "short":
        return _varied(words, rng)[:100]
    if kind == "repetitive":
        return _repetitive(words, rng)
    if kind == "wrong language":
        return "\n".join(_paragraphs(other, rng))
    paragraphs = _paragraphs(words, rng)
    if kind == "markup":
        return _marked_up(paragraphs, words, rng)
    text = rng.choice(("\n", "\n\n")).join(paragraphs)
    return _mojibake(text) if kind == "mojibake" else text


def _paragraphs(words: _Words, rng: random.Random) -> list[str]:
    """Two to seven sentences each, together of about the length that is drawn for a document."""
    left = min(max(rng.lognormvariate(_TYPICAL, _SPREAD), SHORTEST), LONGEST)
    paragraphs: list[str] = []
    while left > 0:
        sentences: list[str] = []
        for _ in range(rng.randint(2, 7)):
            sentences.append(_varied(words, rng)[:LONGEST])
            left -= len(sentences[-1]) + 1
            if left <= 0:
                break
        paragraphs.append(" ".join(sentences))
    return paragraphs


def _varied(words: _Words, rng: random.Random) -> str:
    """The next sentence, with other numbers, some words exchanged for others and some made of two."""
    if not words.hand:
        words.hand = rng.sample(words.sentences, len(words.sentences))
    sentence = words.hand.pop()
    if any(char.isdigit() for char in sentence):
        sentence = _NUMBER.sub(lambda found: _digits(found.group(), rng), sentence)
    parts = sentence.split(" ")
    for i in range(len(parts)):
        chance = rng.random()
        if chance < _MADE:
            parts[i] = _made(rng.choice(words.words), rng.choice(words.words))
        elif chance < _MADE + _EXCHANGED:
            parts[i] = rng.choice(words.words)
    return " ".join(parts)


def _digits(number: str, rng: random.Random) -> str:
    """As many digits of the same script."""
    zero = ord(number[0]) - int(number[0])
    return "".join(chr(zero + rng.randrange(10)) for _ in number)


def _made(first: str, second: str) -> str:
    """A word of two halves. Cut before letters only: a vowel sign stays with its consonant."""
    return first[: _middle(first)] + second[_middle(second) :]


def _middle(word: str) -> int:
    cuts = [i for i in range(1, len(word)) if word[i].isalpha()]
    return cuts[len(cuts) // 2] if cuts else len(word)


def _edited(text: str, words: _Words, rng: random.Random) -> str:
    """2% of the words exchanged, one at least."""
    parts = text.split(" ")
    for i in rng.sample(range(len(parts)), max(1, round(len(parts) * _EDITED))):
        parts[i] = rng.choice(words.words)
    return " ".join(parts)


def _repetitive(words: _Words, rng: random.Random) -> str:
    """A few lines, or one phrase, again and again."""
    if rng.random() < 0.5:
        lines = [_varied(words, rng) for _ in range(rng.randint(1, 3))]
        return "\n".join(lines * rng.randint(6, 20))
    phrase = " ".join(rng.sample(words.words, 3))
    return " ".join([phrase] * rng.randint(20, 80))


def _mojibake(text: str) -> str:
    """UTF-8 read as Windows-1252, where that knows no character as Latin-1; English gets the signs by which it shows."""
    text = text.replace("'", "\u2019").replace(" - ", " \u2014 ").replace('"', "\u201d")
    return "".join(bytes([one]).decode("cp1252", "ignore") or chr(one) for one in text.encode())


def _marked_up(paragraphs: list[str], words: _Words, rng: random.Random) -> str:
    """One to three remains of a page between the paragraphs, or the paragraphs as a page."""
    if rng.random() < 0.3:
        body = "".join(f"<p>{one}</p>\n" for one in paragraphs)
        return f'<div class="post"><h1>{" ".join(islice(words.words, 4))}</h1>\n{body}<a href="/more">&raquo;</a></div>'
    for _ in range(rng.randint(1, 3)):
        paragraphs.insert(rng.randint(0, len(paragraphs)), _remains(words, rng))
    return "\n\n".join(paragraphs)


def _remains(words: _Words, rng: random.Random) -> str:
    cells = [rng.sample(words.words, 3) for _ in range(rng.randint(2, 6))]
    kind = rng.randrange(6)
    if kind == 0:
        return f"https://www.example.org/{rng.randrange(10**6)}/index.html?page={rng.randrange(100)}&ref=feed"
    if kind == 1:
        return "| a | b | c |\n| --- | --- | --- |\n" + "\n".join("| " + " | ".join(row) + " |" for row in cells)
    if kind == 2:
        return "\n".join("\t".join([*row, str(rng.randrange(10_000))]) for row in cells)
    if kind == 3:
        body = "\n".join(f"    total += rate[{rng.randrange(99)}] * {rng.randrange(999)}" for _ in cells)
        return f"```python\ndef total_of(rate):\n{body}\n    return total\n```"
    if kind == 4:
        body = "".join("<tr>" + "".join(f"<td>{one}</td>" for one in row) + "</tr>" for row in cells)
        return f"<table>{body}</table>"
    return f"Home | About | Contact\nCopyright \u00a9 {rng.randint(1999, 2025)} All rights reserved.\nShare on Facebook"
