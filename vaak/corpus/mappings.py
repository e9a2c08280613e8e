"""Which column of a published data set is which field of a sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vaak.errors import BadInput


@dataclass(frozen=True)
class FieldMapping:
    """`columns` maps a field (`path`, or one of `vaak.corpus.lists.FROM_ROW`) to the column that holds it.

    `constants` are fields that are the same for every row. `split` names a column that says which split a row is in;
    without one, the name of a parquet file says it (`test-00000-of-00001.parquet`). Rows of a split whose name begins
    with one of `held_out_splits` are held out.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    held_out_splits: tuple[str, ...] = ()

    def held_out(self, split: str | None) -> bool:
        """Whether a row of this split is kept from training."""
        return split is not None and split.lower().startswith(self.held_out_splits)


# What published data sets call the splits that nobody trains on.
_EVALUATION = ("test", "dev", "val")

# IndicVoices-R: parquet with embedded 48 kHz audio, one config a language; columns from the data set's card,
# https://huggingface.co/datasets/ai4bharat/indicvoices_r (`text`, `verbatim`, `normalized`, `lang`, `speaker_id`, `snr`,
# `c50`, `cer` as text, `duration`, ...). Its `cer` says no unit and is left out.
INDICVOICES_R = FieldMapping(
    columns={"path": "audio", "transcript": "text", "language": "lang", "speaker": "speaker_id", "snr_db": "snr"},
    constants={"source": "indicvoices_r"},
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
    columns = dict(mapping.columns)
    known = tuple(known)
    for override in overrides:
        ours, _, theirs = override.partition("=")
        if ours not in known or not theirs:
            raise BadInput(f"--field {override!r} is no field=column; the fields are {', '.join(known)}")
        columns[ours] = theirs
    constants = {key: value for key, value in mapping.constants.items() if key not in columns}
    return replace(mapping, columns=columns, constants=constants)
