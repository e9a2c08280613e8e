"""Small builds that `datatrove` spreads over tasks, and what one machine makes of the same documents."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq

from tests.text.dumps import real_documents, write_configuration, write_jsonl
from vaak.corpus import open_corpus
from vaak.storage.files import read_json
from vaak.text.build import build_text
from vaak.text.scale import build_scaled
from vaak.text.settings import load_settings

ENGLISH, HINDI = real_documents("en")[:12], real_documents("hi")[:12]
ODD = [
    {"id": "short", "text": "A few words.", "language": "en"},
    {**ENGLISH[0], "id": "copy", "text": ENGLISH[0]["text"].upper()},
    {**ENGLISH[1], "id": "near", "text": ENGLISH[1]["text"] + " Another word."},
    {**HINDI[0], "id": "false", "language": "en"},
]
ALL = [*ENGLISH, *HINDI, *ODD]
COMMAND = [sys.executable, "-m", "vaak.cli.main", "text", "build"]


def dump(folder: Path, inputs: int = 5, **scale: object) -> Path:
    """The same documents in so many files, and a configuration, scaled or not."""
    for at in range(inputs):
        write_jsonl(folder / "in" / f"{at}.jsonl", ALL[at::inputs])
    return write_configuration(folder, **({"scale": scale} if scale else {}))


def scaled(configuration: Path) -> list[str]:
    """Runs or submits a build; everything that it says, what happened at last."""
    said: list[str] = []
    said.append(build_scaled(load_settings(configuration), said.append))
    return said


def outcome(folder: Path) -> tuple[object, ...]:
    """The id of a corpus, the documents in it, and why each other one is not."""
    corpus = open_corpus(folder / "corpus", verify=True)
    kept = sorted((key[1], one.source_id) for key, group in corpus.groups.items() for one in group.samples())
    rows = pq.read_table(folder / "corpus.report" / "dropped.parquet").to_pylist()
    dropped = sorted((row["document_id"], row["reason"], row["detail"]) for row in rows)
    report = read_json(folder / "corpus.report" / "report.json")
    assert report["corpus"]["id"] == read_json(folder / "corpus" / "MANIFEST.json")["id"]
    return report["corpus"]["id"], kept, dropped, report["sources"]


def of_one_machine(folder: Path) -> tuple[object, ...]:
    """The outcome of the same build without datatrove."""
    build_text(load_settings(dump(folder)), 1)
    return outcome(folder)
