"""What a gold pack holds: samples to measure cross-entropy on and prompts to speak; as JSON rows beside flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

# What stands for how a prompt should sound. Codes that were decoded are no recording: say so wherever a figure from them is shown.
RECORDING, PROXY = "recording", "decoded codes (a proxy)"


@dataclass(frozen=True)
class CeSample:
    """One sample to measure cross-entropy on. `codes` are uint16 codes, or uint32 text ids in the text stream."""

    sample_id: str
    stream: str
    language: str
    source: str
    transcript: str | None
    voice_description: str | None
    codes: np.ndarray


@dataclass(frozen=True)
class Prompt:
    """One text to speak, and what is known of how it should sound.

    `language` is the language of `text`. `reference_codes` and `reference_audio` are the same text in the same voice
    (both None when nobody has said it: always for cross_lingual, and for probes whose text ships). `voice_text` and `voice_codes` are another held-out
    utterance of that speaker in `voice_language`, for cloning, None if there is none. `seen_voice` and `seen_text` say
    whether samples outside the pack, so possibly in training, have the speaker or the very text.
    """

    item: str
    language: str
    kind: str
    text: str
    speaker: str | None
    voice_description: str | None
    reference_codes: np.ndarray | None
    reference_audio: Path | None
    voice_text: str | None
    voice_codes: np.ndarray | None
    voice_language: str | None
    seen_voice: bool
    seen_text: bool
    sample_id: str | None

    @property
    def reference_kind(self) -> str | None:
        """`RECORDING`; `PROXY` where the corpus has codes but no original audio; None where nobody has said the text."""
        if self.reference_audio is not None:
            return RECORDING
        return None if self.reference_codes is None else PROXY


@dataclass(frozen=True)
class GoldPack:
    """An opened pack. `excluded_ids` are all held-out samples of its corpus: none of them may be trained on.

    `notes` say where the corpus had less than was asked for.
    """

    id: str
    folder: Path
    manifest: dict[str, Any]
    ce: list[CeSample]
    prompts: list[Prompt]
    excluded_ids: set[str]

    @property
    def seen_voice(self) -> list[bool]:
        """Per prompt, whether its speaker is heard in training."""
        return [prompt.seen_voice for prompt in self.prompts]

    @property
    def notes(self) -> list[str]:
        return self.manifest["notes"]


def to_rows(
    items: Sequence[CeSample | Prompt], dtype: type, arrays: tuple[str, ...]
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Items as JSON rows and one flat array: each field named in `arrays` becomes its [start, stop], or null."""
    rows, parts, at = [], [], 0
    for item in items:
        row = {one.name: getattr(item, one.name) for one in fields(item)}
        for name in arrays:
            values = row[name]
            if values is not None:
                parts.append(np.asarray(values).astype(dtype))
                row[name] = [at, at + len(values)]
                at += len(values)
        rows.append(row)
    return rows, np.concatenate(parts) if parts else np.empty(0, dtype)


def ce_sample(row: Mapping[str, Any], tokens: np.ndarray) -> CeSample:
    """The inverse of `to_rows` for one cross-entropy sample."""
    start, stop = row["codes"]
    values = tokens[start:stop]
    return CeSample(**{**row, "codes": values if row["stream"] == "text" else values.astype(np.uint16)})


def prompt(row: Mapping[str, Any], codes: np.ndarray, folder: Path) -> Prompt:
    """The inverse of `to_rows` for one prompt; the path of its audio becomes absolute to `folder`."""
    values: dict[str, Any] = dict(row)
    for field in ("reference_codes", "voice_codes"):
        values[field] = None if row[field] is None else codes[slice(*row[field])]
    values["reference_audio"] = None if row["reference_audio"] is None else folder / row["reference_audio"]
    return Prompt(**values)
