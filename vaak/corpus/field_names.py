"""What the fields of a sample are called in other people's rows, for imports and for lists of recordings alike."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from vaak.errors import BadInput

# The names that are looked for, the first one that is there; our own first. `path` is the recording of a list; the
# Inworld trainer's names and the usual ones of published lists are among them.
FIELD_NAMES: dict[str, tuple[str, ...]] = {
    "path": ("path", "audio", "audio_filepath", "audio_path", "file"),
    "sample_id": ("sample_id", "id"),
    "source": ("source", "dataset_name"),
    "language": ("language", "lang", "locale"),
    "speaker": ("speaker", "speaker_id"),
    "tier": ("tier",),
    "transcript_kind": ("transcript_kind",),
    "transcript": ("transcript", "text"),
    "voice_description": ("voice_description",),
    "duration_s": ("duration_s", "duration"),
    "sample_rate": ("sample_rate",),
    "source_id": ("source_id", "wav_path"),
    "start_ms": ("start_ms",),
    "end_ms": ("end_ms",),
    "vad_config_hash": ("vad_config_hash",),
    "codec_hash": ("codec_hash",),
    "transcript_hash": ("transcript_hash",),
    "normalisation": ("normalisation",),
    "long_form": ("long_form",),
    "held_out": ("held_out",),
    "dnsmos": ("dnsmos", "dnsmos_mos_ovr"),
    "snr_db": ("snr_db", "snr"),
    "characters_per_second": ("characters_per_second",),
    "asr_error_rate": ("asr_error_rate",),
}


def parse_fields(given: Iterable[str], fields: Collection[str]) -> dict[str, str]:
    """Options such as "transcript=text" as {field: name in the rows}. Raises `BadInput` for what is not among `fields`."""
    columns = {}
    for one in given:
        ours, equals, theirs = one.partition("=")
        if not equals or not theirs:
            raise BadInput(f"--field {one!r} is not understood; write OURS=THEIRS, such as transcript=text")
        if ours not in fields:
            near = difflib.get_close_matches(ours, fields, 1, 0)
            raise BadInput(f"--field {one!r}: there is no field {ours!r} to read; did you mean {near[0]!r}?")
        columns[ours] = theirs
    return columns
