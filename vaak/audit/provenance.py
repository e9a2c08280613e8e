"""Checks of what a sample says of itself: where it is from, how it was recorded, who speaks (SPEC C2)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from vaak.audit.finding import HOLDS, PASSED_BY, UNKNOWN, Around, Verdict
from vaak.audit.item import Item
from vaak.corpus.samples import PROVENANCE

# What programs write where nobody is known.
_NOBODY = frozenset(
    {"unknown", "none", "null", "nan", "n/a", "-", "-1", "?", "speaker", "default", "anonymous", "undefined", "<unk>"}
)  # fmt: skip


def provenance_is_known(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A sample knows the recording it was cut from and where, how it was cut, its codec, its text's hash and what was done to it."""
    missing = [name for name in PROVENANCE[item.stream] if getattr(item.sample, name) is None]
    return f"unknown: {', '.join(missing)}" if missing else HOLDS


def transcript_hash_matches(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """The transcript is the one that was hashed."""
    sample = item.sample
    if sample.transcript is None or sample.transcript_hash is None:
        return UNKNOWN if item.stream == "paired" else PASSED_BY
    same = sha256(sample.transcript.encode()).hexdigest() == sample.transcript_hash
    return HOLDS if same else "the transcript is another than its hash says"


def place_in_source_is_possible(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A sample begins at or after zero, ends after it begins, and lasts as long as it says."""
    start, end, seconds = item.sample.start_ms, item.sample.end_ms, item.sample.duration_s
    if start is None or end is None:
        return UNKNOWN
    if start < 0 or end <= start:
        return f"from {start} to {end} ms"
    if seconds is not None and abs((end - start) / 1000 - seconds) > limit["off_milliseconds"] / 1000 + 1e-9:
        return f"{(end - start) / 1000:.3f} s of its source, {seconds:.3f} s long"
    return HOLDS


def recording_reaches_the_codec(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """The recording had at least the sample rate that the codec hears: telephone sound teaches a muffled voice."""
    rate = item.sample.sample_rate
    if rate is None or around.sample_rate is None:
        return UNKNOWN
    least = around.sample_rate * limit["rate"]
    return HOLDS if rate >= least else f"recorded at {rate:,} Hz, the codec hears {around.sample_rate:,} Hz"


def speaker_is_a_name(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A speaker's name is a name: a placeholder would make one voice of everybody."""
    speaker = item.sample.speaker
    if speaker is None:
        return UNKNOWN
    return f"the speaker is {speaker!r}" if speaker.strip().lower() in _NOBODY or not speaker.strip() else HOLDS


def stated_quality_is_fair(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Stated figures of quality are possible, and a recogniser read most of the transcript out of the sound."""
    opinion, errors = item.sample.dnsmos, item.sample.asr_error_rate
    if opinion is None and errors is None:
        return UNKNOWN
    if opinion is not None and not 1 <= opinion <= 5:
        return f"an opinion score of {opinion:g}, which goes from 1 to 5"
    if errors is None or 0 <= errors <= limit["error_rate"]:
        return HOLDS
    return f"a recogniser's error rate of {errors:.2f}"
