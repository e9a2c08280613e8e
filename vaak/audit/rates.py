"""Samples far from what is usual in their language: wrong transcripts, cut audio, wrong languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaak.audit.facts import KINDS, Facts, alike
from vaak.audit.finding import Around, Finding

# 1 / the 75% quantile of a normal distribution: makes the MAD of normal values their standard deviation.
_NORMAL = 1.4826


def characters_per_second(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No transcript is far longer or shorter for its stated duration than its language's usual."""
    at = _spoken(facts)
    at = at[facts.rows["seconds"][at] > 0]
    return _by_kind(facts, at, facts.rows["characters"][at] / facts.rows["seconds"][at], limit, "characters per second")


def characters_per_code(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No transcript is far longer or shorter for its number of codes than its language's usual."""
    at = _spoken(facts)
    return _by_kind(facts, at, facts.rows["characters"][at] / facts.rows["tokens"][at], limit, "characters per code")


def usual_duration(facts: Facts, around: Around, limit: Mapping[str, Any]) -> Finding:
    """No recording is far longer or shorter than is usual in its source and language."""
    at = np.flatnonzero((facts.streams != "text") & (facts.rows["tokens"] > 0))
    if around.pieces:
        return Finding(0, (), "the samples are pieces of flat streams")
    rows = facts.rows[at]
    seconds = rows["tokens"] / around.tokens_per_second
    groups = [
        (members, f"{facts.name(rows['source'][members[0]])} {facts.languages[at[members[0]]]}")
        for members in alike(facts.streams[at], rows["source"], facts.languages[at])
    ]
    return _outliers(facts, at, seconds, groups, limit, "s")


def _spoken(facts: Facts) -> np.ndarray:
    """Paired samples with words and codes."""
    rows = facts.rows
    return np.flatnonzero((facts.streams == "paired") & (rows["tokens"] > 0) & (rows["characters"] > 0))


def _by_kind(facts: Facts, at: np.ndarray, rates: np.ndarray, limit: Mapping[str, Any], unit: str) -> Finding:
    # A kind that nobody stated is judged with the native ones.
    kinds = np.where(facts.rows["kind"][at] == 0, KINDS.index("native"), facts.rows["kind"][at])
    groups = [
        (members, f"{facts.languages[at[members[0]]]} {KINDS[kinds[members[0]]]}")
        for members in alike(facts.languages[at], kinds)
    ]
    return _outliers(facts, at, rates, groups, limit, unit)


def _outliers(
    facts: Facts,
    at: np.ndarray,
    values: np.ndarray,
    groups: list[tuple[np.ndarray, str]],
    limit: Mapping[str, Any],
    unit: str,
) -> Finding:
    """Samples whose value (positive, one for each of `at`) is too many robust deviations from the median of their group."""
    examined, found, worst, small = 0, [], (0.0, ""), []
    for members, name in groups:
        if len(members) < limit["least_samples"]:
            small.append(name)
            continue
        examined += len(members)
        deviations = np.abs(robust_deviations(values[members], limit["spread"]))
        found.extend(at[members[deviations > limit["deviations"]]].tolist())
        most = int(np.argmax(deviations))
        if deviations[most] > max(limit["deviations"], worst[0]):
            usual, one = float(np.median(values[members])), members[most]
            words = f"{facts.id(at[one])}: {values[one]:.3g} {unit}, usual in {name} is {usual:.3g}"
            worst = (float(deviations[most]), words)
    few = f"too few samples to judge: {', '.join(sorted(small))}" if small else ""
    return Finding(examined, facts.named(found), "; ".join(part for part in (worst[1], few) if part))


def robust_deviations(values: np.ndarray, least_spread: float) -> np.ndarray:
    """float64 [n]: (log value - median) / max(1.4826 MAD, least_spread). Median and MAD do not move for the outliers they find."""
    logs = np.log(values)
    centred = logs - np.median(logs)
    return centred / max(_NORMAL * float(np.median(np.abs(centred))), least_spread)
