"""How long samples are, and how much text goes with how much sound, counted per language."""

from __future__ import annotations

import numpy as np

from vaak.audit.facts import KINDS, Facts
from vaak.page import Bins

_BINS = 24
# The farthest values go into the last bin, so that one endless recording does not flatten the others.
_LAST_QUANTILE = 0.995


def histograms(facts: Facts, tokens_per_second: int) -> dict[str, dict[str, Bins]]:
    """Per measure and language; the bins of a measure are the same in every language, so that they compare by eye."""
    audio = (facts.streams != "text") & (facts.rows["tokens"] > 0)
    kinds = np.isin(facts.rows["kind"], (0, KINDS.index("native")))
    spoken = audio & (facts.streams == "paired") & kinds
    rows = facts.rows
    held = rows["tokens"] / tokens_per_second
    stated = np.where(rows["seconds"] > 0, rows["seconds"], held)
    measures = {
        "duration": (audio, held),
        "characters per second": (spoken, np.divide(rows["characters"], stated, out=np.zeros(len(rows)), where=stated > 0)),
        "characters per code": (spoken, rows["characters"] / np.maximum(rows["tokens"], 1)),
    }  # fmt: skip
    return {
        measure: _by_language(facts.languages[of], values[of]) for measure, (of, values) in measures.items() if of.any()
    }


def _by_language(languages: np.ndarray, values: np.ndarray) -> dict[str, Bins]:
    edges = np.linspace(0.0, float(np.quantile(values, _LAST_QUANTILE)) or 1.0, _BINS + 1)
    clipped = np.minimum(values, edges[-1])
    found = {}
    for language in dict.fromkeys(languages.tolist()):
        counts = np.histogram(clipped[languages == language], edges)[0]
        found[language] = Bins(tuple(edges.tolist()), tuple(counts.tolist()))
    return found
