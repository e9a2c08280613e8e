"""Small crawl dumps for the tests of the text pipeline, out of the real documents of tests/data/text."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.languages import LANGUAGES

REAL = Path(__file__).resolve().parents[1] / "data" / "text"


FILES = (*LANGUAGES, "romanised")


@cache
def real_documents(language: str) -> tuple[dict[str, Any], ...]:
    """The documents of one language that are to be kept, with all their fields."""
    return tuple(one for one in all_documents(language) if one["expect"] == "keep")


@cache
def all_documents(language: str) -> tuple[dict[str, Any], ...]:
    """All documents that are said to be of one language, or are in the file `romanised`, with what must become of each."""
    lines = (REAL / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@cache
def small_tokenizer() -> TextTokenizer:
    """A byte-level tokenizer of 600 ids over English and Hindi."""
    return train_tokenizer([one["text"] for language in ("en", "hi") for one in real_documents(language)], 600)


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({name: row[name] for name in ("id", "text", "language")}, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_configuration(folder: Path, **changes: Any) -> Path:
    """A configuration over `folder/in/*.jsonl` with the small tokenizer; `changes` replace its keys."""
    small_tokenizer().save(folder / "tokenizer")
    source = {"name": "web", "reader": "jsonl", "files": "in", "language_field": "language", "id_field": "id"}
    tree = {"corpus": "corpus", "tokenizer": "tokenizer", "max_tokens": 8000, "sources": [source], **changes}
    path = folder / "text.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def heed_ctrl_c() -> None:
    """For a child process of a test: whoever runs the tests in the background may have them ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
