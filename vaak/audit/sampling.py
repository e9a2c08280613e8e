"""Which samples are examined: every stratum (stream, language, tier) its part, drawn by a seed; all of a small corpus."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vaak.audit.chance import RATES, chance_of_missing
from vaak.corpus import Corpus


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

    @property
    def missing(self) -> dict[float, float]:
        """By share of faulty samples: the chance that none of them was examined."""
        return {rate: chance_of_missing(self.samples, self.examined, rate) for rate in RATES}


def allocate(sizes: Sequence[int], total: int) -> list[int]:
    """Parts of `total` for strata of `sizes`: equal, except that a small stratum is taken whole and leaves room for the others."""
    parts = [0] * len(sizes)
    left, open_strata = min(total, sum(sizes)), sorted(range(len(sizes)), key=lambda at: sizes[at])
    for position, at in enumerate(open_strata):
        parts[at] = min(sizes[at], -(-left // (len(open_strata) - position)) if left else 0)
        left -= parts[at]
    return parts


def draw(corpus: Corpus, samples: int, seed: int) -> list[tuple[Stratum, np.ndarray]]:
    """Of every group, in the order of the corpus, the rows that are examined (int64[n], ascending); at most `samples` in all.

    What is drawn from a stratum depends on the seed, its name and its part alone.
    """
    groups = list(corpus.groups.values())
    found = []
    for group, part in zip(groups, allocate([group.n_samples for group in groups], samples), strict=True):
        name = f"{group.stream}/{group.language}/{group.tier}"
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        # In ascending order each part of the parquet file is read once.
        rows = np.sort(random.choice(group.n_samples, part, replace=False)) if part else np.empty(0, np.int64)
        found.append((Stratum(group.stream, group.language, group.tier, group.n_samples, part), rows.astype(np.int64)))
    return found
