"""How much text goes with how much sound: outliers here are wrong transcripts, cut audio and wrong languages."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vaak.audit.codes import stated_seconds
from vaak.audit.finding import Around, Finding
from vaak.audit.sampling import Item
from vaak.audit.transcripts import has_words

# 1 / the 75% quantile of a normal distribution: makes the MAD of normal values their standard deviation.
_NORMAL = 1.4826


def characters_per_second(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """No transcript is far longer or shorter for its stated duration than its language's usual."""
    rates = [(item, spoken_characters(item), stated_seconds(item)) for item in items if _has_both(item)]
    return _outliers([(item, n / seconds) for item, n, seconds in rates if seconds], limit, "characters per second")


def characters_per_code(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """No transcript is far longer or shorter for its number of codes than its language's usual."""
    rates = [(item, spoken_characters(item) / len(item.tokens)) for item in items if _has_both(item)]
    return _outliers(rates, limit, "characters per code")


def spoken_characters(item: Item) -> int:
    """Characters of the transcript without white space."""
    return sum(not char.isspace() for char in item.sample.transcript or "")


def _has_both(item: Item) -> bool:
    return item.stream == "paired" and len(item.tokens) > 0 and has_words(item.sample.transcript or "")


def _outliers(rates: Iterable[tuple[Item, float]], limit: Mapping[str, Any], unit: str) -> Finding:
    """Items whose log rate is too many robust deviations from the median of their language and transcript kind."""
    groups: dict[tuple[str, str], list[tuple[Item, float]]] = defaultdict(list)
    for item, rate in rates:
        groups[item.sample.language, item.sample.transcript_kind or "native"].append((item, rate))
    examined, evidence, worst = 0, [], (0.0, "")
    small = []
    for (language, kind), members in groups.items():
        if len(members) < limit["least_samples"]:
            small.append(f"{language} {kind}")
            continue
        examined += len(members)
        deviations = robust_deviations([rate for _, rate in members], limit["spread"])
        median = float(np.median([rate for _, rate in members]))
        for (item, rate), deviation in zip(members, deviations, strict=True):
            if abs(deviation) > limit["deviations"]:
                evidence.append(item.sample.sample_id)
                words = f"{item.sample.sample_id}: {rate:.3g} {unit}, usual in {language} is {median:.3g}"
                worst = max(worst, (abs(float(deviation)), words))
    few = f"too few samples to judge: {', '.join(sorted(small))}" if small else ""
    return Finding(examined, tuple(evidence), "; ".join(part for part in (worst[1], few) if part))


def robust_deviations(rates: Sequence[float], least_spread: float) -> np.ndarray:
    """float64 [n]: (log rate - median) / max(1.4826 MAD, least_spread). Median and MAD do not move for the outliers they find."""
    logs = np.array([math.log(rate) for rate in rates])
    centred = logs - np.median(logs)
    return centred / max(_NORMAL * float(np.median(np.abs(centred))), least_spread)
