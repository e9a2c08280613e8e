"""Checks for the same thing twice: among the examined samples, and between what is held out and what is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaak.audit.facts import Facts, alike, labels
from vaak.audit.finding import Around, Finding


def no_duplicate_codes(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """Within a stream no two samples hold the same codes."""
    at = _long_audio(facts, limit)
    return _repeats(facts, at, facts.streams[at], facts.rows["codes"][at])


def no_duplicate_documents(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No two text documents hold the same ids."""
    at = np.flatnonzero(facts.streams == "text")
    return _repeats(facts, at, facts.rows["codes"][at])


def no_duplicate_transcripts(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No speaker says the same transcript twice. Several speakers may: parallel recordings are no fault."""
    at = np.flatnonzero((facts.streams == "paired") & (facts.rows["letters"] > 0))
    rows = facts.rows[at]
    return _repeats(facts, at, rows["source"], facts.languages[at], rows["speaker"], rows["text"])


def held_out_codes_unseen(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """The codes of a held-out sample are in no sample of any stream that is trained on."""
    at = _long_audio(facts, limit)
    return _leaks(facts, at, facts.rows["codes"][at])


def held_out_transcripts_unseen(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """The transcript of a held-out sample is that of no sample that is trained on. Short ones may coincide."""
    at = np.flatnonzero((facts.streams == "paired") & (facts.rows["letters"] >= limit["least_characters"]))
    return _leaks(facts, at, facts.languages[at], facts.rows["text"][at])


def held_out_speakers_unseen(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """The speaker of a held-out sample is not heard in training: a pack of heard voices does not tell how new ones sound."""
    at = np.flatnonzero(facts.rows["speaker"] != 0)
    held = facts.rows["held_out"][at]
    speaker = facts.rows["speaker"][at]
    shared = np.intersect1d(speaker[held], speaker[~held])
    leaked = at[held & np.isin(speaker, shared)]
    names = ", ".join(sorted(facts.name(one) for one in shared)[:5])
    more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
    return Finding(int(held.sum()), facts.named(leaked), f"heard in training: {names}{more}" if names else "")


def segments_do_not_overlap(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No two samples of a stream are cut from the same part of a recording.

    Where most samples of a source overlap, its source ids name no recordings (but a speech engine, say): it is passed by.
    """
    rows = facts.rows
    placed = np.flatnonzero((rows["recording"] != 0) & (rows["start"] >= 0) & (rows["end"] > rows["start"]))
    examined, found, example = 0, [], ""
    for source in alike(rows["source"][placed]):
        at = placed[source]
        shared, pairs = 0, []
        for members in alike(facts.streams[at], rows["recording"][at]):
            if len(members) > 1:
                shared += len(members)
                pairs += _overlaps(rows, at[members], limit["shared_milliseconds"])
        if 2 * len(pairs) > shared:
            continue
        examined += shared
        found += [later for _, later in pairs]
        if pairs and not example:
            earlier, later = pairs[0]
            example = f"{facts.id(later)} begins {rows['end'][earlier] - rows['start'][later]} ms before {facts.id(earlier)} ends"
    return Finding(examined, facts.named(found), example)


def _overlaps(rows: np.ndarray, at: np.ndarray, milliseconds: float) -> list[tuple[int, int]]:
    """(the one that reaches farthest before it, the sample) for each that begins so long before that one's end."""
    order = at[np.argsort(rows["start"][at], kind="stable")]
    pairs, farthest = [], int(order[0])
    for one in order[1:].tolist():
        if rows["end"][farthest] - rows["start"][one] > milliseconds:
            pairs.append((farthest, one))
        if rows["end"][one] > rows["end"][farthest]:
            farthest = one
    return pairs


def _long_audio(facts: Facts, limit: Mapping[str, Any]) -> np.ndarray:
    """Audio of some length: two clips of a few codes of silence are equal by chance."""
    return np.flatnonzero((facts.streams != "text") & (facts.rows["tokens"] >= limit["least_codes"]))


def _repeats(facts: Facts, at: np.ndarray, *keys: np.ndarray) -> Finding:
    """Samples (of those at `at`) whose keys stood before them."""
    if len(at) == 0:
        return Finding(0)
    _, first, number = np.unique(labels(*keys), return_index=True, return_inverse=True)
    again = np.flatnonzero(first[number] != np.arange(len(at)))
    example = f"{facts.id(at[again[0]])} is {facts.id(at[first[number[again[0]]]])} again" if len(again) else ""
    return Finding(len(at), facts.named(at[again]), example)


def _leaks(facts: Facts, at: np.ndarray, *keys: np.ndarray) -> Finding:
    """Held-out samples (of those at `at`) whose keys a sample has that is trained on."""
    if len(at) == 0:
        return Finding(0)
    key, held = labels(*keys), facts.rows["held_out"][at]
    leaked = np.flatnonzero(held & np.isin(key, key[~held]))
    if len(leaked) == 0:
        return Finding(int(held.sum()))
    trained = int(np.flatnonzero(~held & (key == key[leaked[0]]))[0])
    example = f"{facts.id(at[leaked[0]])} is {facts.id(at[trained])}, which is trained on"
    return Finding(int(held.sum()), facts.named(at[leaked]), example)
