"""How a codec uses its codebook: how many entries occur, and what one code carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CodebookUse:
    """`codes` were counted, `used` different ones of `size` occurred; `entropy` is in bits a code."""

    codes: int
    used: int
    size: int
    entropy: float

    @property
    def share(self) -> float:
        """Used entries over all entries. At most codes / size: few codes cannot use a large book."""
        return self.used / self.size

    @property
    def perplexity(self) -> float:
        """2^entropy: so many equally likely entries would carry as much."""
        return 2.0**self.entropy


def codebook_use(codes: Iterable[np.ndarray], size: int) -> CodebookUse:
    """Use of a codebook of `size` entries by `codes` (integers [n] each), counted together.

    Entropy is -sum p log2 p with p the share of each entry (Shannon 1948), each code taken alone. Estimated from n codes
    it is too low by about (used - 1) / (2 n ln 2) bits (Miller 1955), which is not added.
    """
    counts = np.zeros(size, dtype=np.int64)
    for some in codes:
        counts += np.bincount(np.asarray(some, dtype=np.int64), minlength=size)
    n = int(counts.sum())
    share = counts[counts > 0] / max(n, 1)
    return CodebookUse(n, int((counts > 0).sum()), size, float(-(share * np.log2(share)).sum()) + 0.0)
