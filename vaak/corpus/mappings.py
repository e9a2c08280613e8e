"""Which column of a published data set is which field of a sample."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vaak.corpus.field_names import parse_fields
from vaak.errors import BadInput


@dataclass(frozen=True)
class FieldMapping:
    """`columns` maps a field (`path`, or one of `vaak.corpus.lists.FROM_ROW`) to the column that holds it.

    `constants` are fields that are the same for every row, `tier` is that of rows that name none. `split` names a column
    that says which split a row is in; without one, the name of a parquet file says it (`test-00000-of-00001.parquet`) or
    a folder that it lies in (`test/0000.parquet`). Rows of a split whose name begins with one of `held_out_splits` are
    held out, and so are files with one of these as a word of their own in their or a folder's name.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    tier: str | None = None
    split: str | None = None
    held_out_splits: tuple[str, ...] = ()

    def held_out(self, split: str | None) -> bool:
        """Whether a row of this split is kept from training."""
        return split is not None and split.lower().startswith(self.held_out_splits)

    def held_out_place(self, file: str, folders: Iterable[str], top: str) -> bool:
        """Whether the rows of a file are kept from training by its own name, without its suffix, or by its folders'.

        `folders` are those below `top`, the folder of the data set as it was named. That one may be called anything:
        only all of its name counts, of the others each word.
        """
        if not self.held_out_splits:
            return False
        names = self.held_out_splits
        whole = {*names, *(longer for longer, short in _LONGER.items() if short in names)}
        words = {word for name in (file, *folders) for word in re.split(r"[^a-z]+", name.lower())}
        return self.held_out(file) or top.lower() in whole or bool(words & whole)


# What published data sets call the splits that nobody trains on, and how some spell them out.
_EVALUATION = ("test", "dev", "val")
_LONGER = {"testing": "test", "tests": "test", "development": "dev", "valid": "val", "validation": "val", "eval": "val"}

# IndicVoices-R: parquet with embedded 48 kHz audio, one config a language; columns from the data set's card,
# https://huggingface.co/datasets/ai4bharat/indicvoices_r (`text`, `verbatim`, `normalized`, `lang`, `speaker_id`, `snr`,
# `c50`, `cer` as text, `duration`, ...). Its `cer` says no unit and is left out.
INDICVOICES_R = FieldMapping(
    columns={"path": "audio", "transcript": "text", "language": "lang", "speaker": "speaker_id", "snr_db": "snr"},
    constants={"source": "indicvoices_r"},
    tier="clean",
    held_out_splits=_EVALUATION,
)

# HiFiTTS-2: a JSON line per utterance, its audio cut from LibriVox by NVIDIA's own script into `audio_22khz` or
# `audio_44khz`. https://huggingface.co/datasets/nvidia/hifitts-2 and, for that script, NeMo-speech-data-processor,
# `dataset_configs/english/hifitts2` (`audio_filepath`, `normalized_text`, `speaker`, `set`, `cer` as a share, ...).
HIFITTS2 = FieldMapping(
    columns={
        "path": "audio_filepath",
        "transcript": "normalized_text",
        "speaker": "speaker",
        "asr_error_rate": "cer",
    },
    constants={"source": "hifitts2", "language": "en", "transcript_kind": "native"},
    tier="clean",
    split="set",
    held_out_splits=_EVALUATION,
)

MAPPINGS: dict[str, FieldMapping] = {"indicvoices-r": INDICVOICES_R, "hifitts2": HIFITTS2}


def open_mapping(name: str | None, overrides: Iterable[str], known: Iterable[str]) -> FieldMapping:
    """The mapping of that name (an empty one for None) with `field=column` overrides.

    Raises `BadInput` for a name, a field or an override that is none.
    """
    if name is not None and name not in MAPPINGS:
        raise BadInput(f"mapping {name!r} is unknown; use {', '.join(MAPPINGS)}, or --field name=column")
    mapping = MAPPINGS[name] if name is not None else FieldMapping()
    columns = {**mapping.columns, **parse_fields(overrides, tuple(known))}
    constants = {key: value for key, value in mapping.constants.items() if key not in columns}
    return replace(mapping, columns=columns, constants=constants)
