"""Which samples are examined: every stratum (stream, language, tier) its part, drawn by a seed; all of a small corpus."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vaak.corpus import Corpus, Sample


@dataclass(frozen=True)
class Item:
    """One examined sample with its tokens: uint16 codes (raw, paired) or uint32 text ids (text)."""

    stream: str
    sample: Sample
    tokens: np.ndarray

    @property
    def is_audio(self) -> bool:
        return self.stream != "text"


@dataclass(frozen=True)
class Stratum:
    """How many of a group's samples were examined."""

    stream: str
    language: str
    tier: str
    samples: int
    examined: int

    @property
    def rarest_fault(self) -> float:
        """The share of faulty samples in this stratum that would be missed with a chance of 5%; 0 when all were examined.

        From (1 - share)^examined = 0.05.
        """
        if self.examined >= self.samples:
            return 0.0
        return 1.0 - 0.05 ** (1 / self.examined) if self.examined else 1.0


def allocate(sizes: Sequence[int], total: int) -> list[int]:
    """Parts of `total` for strata of `sizes`: equal, except that a small stratum is taken whole and leaves room for the others."""
    parts = [0] * len(sizes)
    left, open_strata = min(total, sum(sizes)), sorted(range(len(sizes)), key=lambda at: sizes[at])
    for position, at in enumerate(open_strata):
        parts[at] = min(sizes[at], -(-left // (len(open_strata) - position)) if left else 0)
        left -= parts[at]
    return parts


def take_sample(
    corpus: Corpus, samples: int, seed: int, progress: Callable[[float, float, str], None]
) -> tuple[list[Item], list[Stratum]]:
    """At most `samples` items in the order of the corpus, and what part of each stratum they are.

    What is drawn from a stratum depends on the seed, its name and its part alone.
    """
    groups = list(corpus.groups.values())
    parts = allocate([group.n_samples for group in groups], samples)
    items: list[Item] = []
    strata: list[Stratum] = []
    for group, part in zip(groups, parts, strict=True):
        name = f"{group.stream}/{group.language}/{group.tier}"
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        drawn = np.sort(random.choice(group.n_samples, part, replace=False)) if part else []
        # In ascending order each part of the parquet file is read once.
        items.extend(Item(group.stream, group.sample(int(i)), group.tokens(int(i))) for i in drawn)
        strata.append(Stratum(group.stream, group.language, group.tier, group.n_samples, part))
        progress(len(items), sum(parts), f"reading {name}")
    return items, strata
