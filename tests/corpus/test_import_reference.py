"""The import looks at thousands of rows in one go; this is what it must come to, written down row by row."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.inworld import samples_of, target
from tests.corpus.toy import CODEC
from vaak.corpus import Sample
from vaak.corpus import import_inworld as module
from vaak.corpus.field_names import FIELD_NAMES
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_samples import DOES_NOT_SAY, SampleDefaults
from vaak.corpus.samples import PROVENANCE, SAFE_ID, SAFE_TIER, readable_id
from vaak.errors import BadInput
from vaak.languages import language_of

TEXTS = ("sample_id", "source", "language", "speaker", "tier", "transcript", "source_id")
NUMBERS = ("duration_s", "dnsmos", "snr_db", "sample_rate", "start_ms", "end_ms")
WHOLE = ("sample_rate", "start_ms", "end_ms")


def reference(line: str, number: int) -> tuple[str, Sample] | str:
    """Stream and sample of one line, or the kind that it is set aside for."""
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except ValueError:
        return "invalid JSON"
    if not isinstance(row, dict):
        return "invalid JSON"
    said: dict[str, Any] = {"source": "made", "tier": "unrated", "held_out": False}
    for ours in (*TEXTS, *NUMBERS, "held_out"):
        found = [row[name] for name in FIELD_NAMES[ours] if row.get(name) is not None]
        if not found:
            continue
        value = found[0]
        fault = wrong(ours, value)
        if fault == "unknown":
            continue
        if fault:
            return fault
        if value != "":  # what is empty counts as not there
            said[ours] = str(value) if ours in TEXTS else value
    return completed(said, number)


def wrong(ours: str, value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if ours in TEXTS:
        named = ours in ("sample_id", "source", "speaker", "source_id")
        return None if isinstance(value, str) or (named and is_number) else "wrong type"
    if ours == "held_out":
        return None if isinstance(value, bool) else "wrong type"
    if not is_number or (ours in WHOLE and not float(value).is_integer()):
        return "wrong type"
    if ours in ("duration_s", "sample_rate") and value == -1:
        return "unknown"
    above = ours in ("duration_s", "sample_rate")
    return "impossible value" if not math.isfinite(value) or (above and value <= 0) else None


def completed(said: dict[str, Any], number: int) -> tuple[str, Sample] | str:
    try:
        tag = said.get("language")
        said["language"] = language_of("" if tag is None or tag.strip().lower() == "unknown" else tag)
    except BadInput:
        return "unknown language" if tag and tag.strip() and tag.strip().lower() != "unknown" else "missing field"
    start, end = said.get("start_ms"), said.get("end_ms")
    if not SAFE_TIER.fullmatch(said["tier"]) or (start or 0) < 0 or (end is not None and end <= (start or 0)):
        return "impossible value"
    given_id = said.get("sample_id")
    if given_id is None or not SAFE_ID.fullmatch(given_id):
        said["sample_id"] = readable_id(given_id or "") or f"src.train.{number}"
    text = said.pop("transcript", None)
    stream = "paired" if text and text.strip() else "raw"
    if text and stream == "paired":
        said |= {"transcript": text, "transcript_hash": hashlib.sha256(text.encode()).hexdigest()}
    said["codec_hash"] = CODEC["hash"]
    known = {name for name, value in said.items() if value is not None}
    lacking = {*PROVENANCE[stream], "duration_s"} - known
    return stream, Sample(**said, unknown=dict.fromkeys(sorted(lacking), DOES_NOT_SAY))


STRANGE: list[dict[str, Any] | str] = [
    {"id": ".hidden"}, {"id": 7}, {"id": ""}, {"id": "two words"}, {"id": None}, {"id": True}, {"sample_id": "own"},
    {"lang": "hi", "language": None}, {"language": "Hindi"}, {"language": "unknown"}, {"language": "xx"}, {"language": ""},
    {"text": "other name", "transcript": None}, {"text": "both"}, {"transcript": ""}, {"transcript": " \t"},
    {"transcript": 5}, {"transcript": "क\nख"}, {"duration": -1}, {"duration": 2}, {"duration": "2"}, {"duration": 0},
    {"duration": float("nan")}, {"duration": True}, {"sample_rate": 8000.0}, {"sample_rate": 0.5}, {"sample_rate": -1},
    {"start_ms": 5, "end_ms": 5}, {"start_ms": 5, "end_ms": 50}, {"start_ms": -5}, {"tier": "wild"}, {"tier": "../x"},
    {"held_out": True}, {"held_out": "yes"}, {"dnsmos": 3}, {"snr": 1e308}, {"snr": "loud"}, {"mood": {"a": [1]}},
    {"speaker_id": 9}, {"speaker_id": ["a"]}, {"wav_path": 1.5}, {"dataset_name": ""}, {"dataset_name": "other"},
    # As many keys as the rows around it, but others.
    '{"sample_id": "own", "lang": "hi", "text": "five keys", "length": 1, "rate": 3}',
    "not JSON", "[1]", '{"language": "hi", "id": "\\ud800"}', '{"language": "hi"}', "7",
]  # fmt: skip


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.none(), st.none(), st.sampled_from(STRANGE)), min_size=1, max_size=24),
    st.sampled_from([1, 3, 8192]),
)
def test_rows_are_what_the_reference_says_however_many_are_looked_at_together(tmp_path_factory, changes, block):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "src").mkdir()
    lines = []
    for i, change in enumerate(changes):
        row = {"id": f"r-{i}", "language": "ta", "transcript": f"வாக்கியம் {i}", "duration": i + 0.5, "sample_rate": 16000}
        lines.append(change if isinstance(change, str) else json.dumps({**row, **(change or {})}))
    (folder / "src" / "train_samples.jsonl").write_text("".join(f"{line}\n" for line in lines))
    codes = np.arange(2 * len(lines), dtype=np.int32) % 1000
    codes.tofile(folder / "src" / "train_codes.npy")
    np.save(folder / "src" / "train_codes_index.npy", np.arange(len(lines)) * 2)
    wanted, aside, seen = {}, {}, set()
    for i, line in enumerate(lines):
        found = reference(line, i)
        if not isinstance(found, str) and found[1].sample_id in seen:
            found = "duplicate id"
        if isinstance(found, str):
            aside[i] = found
        else:
            seen.add(found[1].sample_id)
            wanted[found[1].sample_id] = (*found, codes[2 * i : 2 * i + 2].tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        try:
            report = import_inworld(
                folder / "src", target(folder / "out", quarantine=folder / "aside"), SampleDefaults("made")
            )
        except BadInput as error:
            assert "can be imported" in str(error) and not wanted
            return
    assert samples_of(folder / "out") == wanted
    assert report.set_aside_file is not None
    records = [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert {one["row"]: one["kind"] for one in records} == aside
