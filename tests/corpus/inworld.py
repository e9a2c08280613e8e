"""Folders as the Inworld trainer's data tools write them, small and of known values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.corpus.toy import CODEC, known_tokens
from vaak.corpus import Sample, open_corpus
from vaak.corpus.import_run import ImportTarget

# Lengths in codes of the five samples of `train`, and what stands in their lines.
LENGTHS = (50, 75, 1, 120, 60)

ROWS: list[dict[str, Any]] = [
    {"id": "a-0", "wav_path": "wavs/0.wav", "speaker_id": "asha", "language": "hi", "transcript": "नमस्ते दुनिया",
     "duration": 1.0, "sample_rate": 24000, "dataset_name": "street", "dnsmos_mos_ovr": 3.25},
    {"id": "a-1", "wav_path": "wavs/1.wav", "speaker_id": "ben", "language": "en-US", "transcript": "Good morning.",
     "voice_description": "A calm voice.", "duration": 1.5, "sample_rate": 16000, "dataset_name": "street",
     "emotion": "calm"},
    {"id": "a-2", "wav_path": "wavs/2.wav", "language": "hin_Deva", "duration": -1.0, "sample_rate": -1,
     "dataset_name": "radio"},
    {"id": "a-3", "wav_path": "wavs/3.wav", "speaker_id": 7, "language": "en", "transcript": "Two\nlines",
     "duration": 2.4, "sample_rate": 48000, "dataset_name": "street", "start_ms": 500, "end_ms": 2900,
     "vad_config_hash": "v" * 64, "snr": 21, "asr_error_rate": 0.125, "characters_per_second": 12.5},
    {"wav_path": "wavs/4.wav", "speaker_id": "asha", "language": "hi", "transcript": "फिर मिलेंगे",
     "duration": 1.2, "sample_rate": 24000},
]  # fmt: skip


def codes_of(number: int, split: str = "train") -> np.ndarray:
    """Codes of sample `number` of a split, from its name alone."""
    return known_tokens(f"{split}-{number}", LENGTHS[number])


def write_split(
    folder: Path,
    split: str = "train",
    rows: Sequence[dict[str, Any] | str] = tuple(ROWS),
    pairs: bool = True,
    shard: int | None = None,
) -> Path:
    """One split of the five samples; with `pairs` the index has starts and ends, else the trainer's own starts."""
    folder.mkdir(parents=True, exist_ok=True)
    end = "" if shard is None else f"_{shard}"
    codes = np.concatenate([codes_of(i, split) for i in range(5)]).astype(np.int32)
    codes.tofile(folder / f"{split}_codes{end}.npy")
    stops = np.cumsum(LENGTHS)
    starts = stops - LENGTHS
    np.save(folder / f"{split}_codes_index{end}.npy", np.stack([starts, stops], 1) if pairs else starts)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / f"{split}_samples{end}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def target(folder: Path, **changes: Any) -> ImportTarget:
    """A new corpus in a folder, of the toy codec's 1000 codes."""
    return ImportTarget(folder, "imported", **{"codec": CODEC, **changes})


def samples_of(folder: Path) -> dict[str, tuple[str, Sample, list[int]]]:
    """Stream, fields and codes of every sample of a frozen corpus, by id; every byte is verified on the way."""
    corpus = open_corpus(folder, verify=True)
    return {
        sample.sample_id: (key[0], sample, group.tokens(i).tolist())
        for key, group in corpus.groups.items()
        for i, sample in enumerate(group.samples())
    }
