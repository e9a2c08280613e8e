"""Faults that no frozen corpus can hold, planted in what is imported: the import sets each aside, with its row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.audit.clean import CODEBOOK, ENTRY, clean_draft
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_run import ImportTarget
from vaak.corpus.import_samples import SampleDefaults

# Kind -> what the import calls it. A change of one row of the samples, of its codes, or of its index entry.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "end-before-start": ("impossible value", {"start_ms": 900, "end_ms": 400}),
    "negative-start": ("impossible value", {"start_ms": -5, "end_ms": 400}),
    "no-duration": ("impossible value", {"duration": 0.0}),
    "duration-not-a-number": ("impossible value", {"duration": float("nan")}),
    "other-transcript-hash": ("impossible value", {"transcript_hash": "0" * 64}),
    "unknown-language": ("unknown language", {"language": "xx-Nowhere"}),
    "wrong-type": ("wrong type", {"sample_rate": "fast"}),
}
CODES = {"code-too-high": CODEBOOK, "negative-code": -1}
INDEX = {"empty-sample": "empty", "overlapping-samples": "overlapping index", "outside-the-codes": "index out of range"}


@dataclass
class PlantedImport:
    """A folder as a trainer writes it, and per kind (what the import calls it, the row at fault)."""

    folder: Path
    truth: dict[str, tuple[str, int]]


def write_source(folder: Path, samples: int) -> PlantedImport:
    """Clean samples with one of each kind among them."""
    folder.mkdir(parents=True)
    drafted = [
        (sample, np.asarray(codes)) for stream, sample, codes in clean_draft(samples, 11).samples if stream != "text"
    ]
    rows = [
        {"id": sample.sample_id, "language": sample.language, "transcript": sample.transcript, "speaker_id": sample.speaker,
         "duration": len(codes) / 50, "sample_rate": sample.sample_rate, "start_ms": sample.start_ms, "end_ms": sample.end_ms}
        for sample, codes in drafted
    ]  # fmt: skip
    codes = [own.astype(np.int32) for _, own in drafted]
    truth: dict[str, tuple[str, int]] = {}
    # Far enough apart that a fault in the index spoils no other planted row.
    places = iter(range(7, len(rows), 11))
    for kind, (name, changes) in ROWS.items():
        truth[kind] = (name, next(places))
        rows[truth[kind][1]] |= changes
    for kind, value in CODES.items():
        truth[kind] = ("code out of range", next(places))
        codes[truth[kind][1]][3] = value
    truth["id-again"] = ("duplicate id", next(places))
    rows[truth["id-again"][1]]["id"] = rows[0]["id"]
    stops = np.cumsum([len(own) for own in codes])
    index = np.stack([stops - [len(own) for own in codes], stops], 1)
    for kind, name in INDEX.items():
        truth[kind] = (name, next(places))
    index[truth["empty-sample"][1], 1] = index[truth["empty-sample"][1], 0]
    index[truth["overlapping-samples"][1], 1] += 5
    index[truth["outside-the-codes"][1]] = (stops[-1] + 10, stops[-1] + 90)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    truth["broken-line"] = ("invalid JSON", next(places))
    lines[truth["broken-line"][1]] = lines[truth["broken-line"][1]][:-9]
    np.concatenate(codes).tofile(folder / "train_codes.npy")
    np.save(folder / "train_codes_index.npy", index)
    (folder / "train_samples.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return PlantedImport(folder, truth)


def set_aside(planted: PlantedImport, out: Path) -> dict[int, str]:
    """Row -> what the import calls its fault, for every row that it did not take."""
    aside = out / "aside"
    target = ImportTarget(out / "corpus", "imported", ENTRY, quarantine=aside)
    import_inworld(planted.folder, target, SampleDefaults("trainer", "hi"))
    found = {}
    for path in aside.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            found[one["row"]] = one["kind"]
    return found
