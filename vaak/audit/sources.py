"""Faults of a whole source: what went wrong for all of its samples is seen in none of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaak.audit.codes import effective
from vaak.audit.facts import Facts, alike
from vaak.audit.finding import Around, Finding


def source_codes_vary(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """The codes of each source and language are about as varied as those of the others: none of them was encoded badly."""
    judged = {key: counts for key, counts in facts.code_counts.items() if counts.sum() >= limit["source_codes"]}
    if not judged:
        return Finding(0, (), "no source has enough codes")
    worth = {key: effective(counts) for key, counts in judged.items()}
    # Few codes cannot be as varied as many: what counts is what part of the possible is used.
    size = around.codebook_size or 65536
    part = {key: worth[key] / min(size, int(counts.sum())) for key, counts in judged.items()}
    usual = float(np.median(list(part.values())))
    examined, at_fault, words = 0, [], []
    streams, languages = facts.streams, facts.languages
    sources = {number: facts.name(number) for number in np.unique(facts.rows["source"]).tolist()}
    for members in alike(streams == "text", facts.rows["source"], languages):
        source, language = sources[int(facts.rows["source"][members[0]])], str(languages[members[0]])
        if streams[members[0]] == "text" or (source, language) not in judged:
            continue
        examined += len(members)
        key, counts = (source, language), judged[source, language]
        most = counts.max() / counts.sum()
        # A grain of grace against rounding.
        few = part[key] < limit["of_usual"] * usual - 1e-9 or worth[key] < limit["source_worth"] - 1e-9
        if few or most > limit["source_one_code"]:
            at_fault.extend(members.tolist())
            words.append(f"{source} {language}: {worth[key]:.0f} codes' worth of {size:,}, one of them {most:.0%}")
    return Finding(examined, facts.named(at_fault), "; ".join(words[:5]))


def lengths_differ(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """The samples of a source and language do not pile up at one length: nothing was cut or padded to it."""
    if around.pieces:
        return Finding(0, (), "the samples are pieces of flat streams")
    streams, languages, tokens = facts.streams, facts.languages, facts.rows["tokens"]
    examined, at_fault, words = 0, [], []
    for members in alike(streams, facts.rows["source"], languages):
        if streams[members[0]] == "text" or len(members) < limit["least_samples"]:
            continue
        examined += len(members)
        length, n = pile(tokens[members], limit["same"], limit["pile"], limit["pile_samples"])
        if n:
            at_fault.extend(members[tokens[members] == length].tolist())
            source = facts.name(facts.rows["source"][members[0]])
            words.append(f"{source} {languages[members[0]]}: {n} of {len(members)} have {length} codes")
    return Finding(examined, facts.named(at_fault), "; ".join(words[:5]))


def pile(lengths: np.ndarray, same: float, above: float, least: int) -> tuple[int, int]:
    """(length, how many have it) where more than the share `same` has one length, or where at least `least` have the longest
    and these are more than `above` times what each of the ten lengths below it has on average; else (0, 0)."""
    values, counts = np.unique(lengths, return_counts=True)
    most = int(np.argmax(counts))
    if counts[most] > same * len(lengths):
        return int(values[most]), int(counts[most])
    longest, n = int(values[-1]), int(counts[-1])
    below = counts[(values >= longest - 10) & (values < longest)].sum() / 10
    return (longest, n) if n >= least and n > above * below else (0, 0)


def sources_name_speakers(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """A source of several languages has several speakers: one name for all of them is no name."""
    rows, languages = facts.rows, facts.languages
    at = np.flatnonzero(rows["speaker"] != 0)
    examined, at_fault, words = 0, [], []
    for members in alike(rows["source"][at]):
        one = at[members]
        examined += len(one)
        speakers, spoken = np.unique(rows["speaker"][one]), np.unique(languages[one])
        if len(speakers) == 1 and len(spoken) > limit["languages"]:
            at_fault.extend(one.tolist())
            words.append(f"{facts.name(rows['source'][one[0]])}: {facts.name(speakers[0])} in {len(spoken)} languages")
    return Finding(examined, facts.named(at_fault), "; ".join(words[:5]))
