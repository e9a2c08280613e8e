"""What an audit of some of the samples may miss."""

from __future__ import annotations

import math

import numpy as np

# Shares of faulty samples that the report gives the chance for.
RATES = (0.0001, 0.001, 0.01)


def chance_of_missing(samples: int, examined: int, rate: float) -> float:
    """The chance that none of `examined`, drawn without replacement from `samples`, is one of the faulty ones.

    Faulty is the share `rate` of them, rounded up, and at least one. Hypergeometric: C(N - K, n) / C(N, n) =
    (1 - n/N) (1 - n/(N-1)) … (1 - n/(N-K+1)), which is the same with K and n exchanged. That the draw is stratified does not
    change it for faults that may be anywhere: any set of n samples misses the same share of all places for K faults.
    """
    if samples == 0:
        return 0.0
    # A grain below the product is rounding: 0.001 of 3,000 are 3.
    faulty = min(samples, max(1, math.ceil(samples * rate - 1e-9)))
    few, many = sorted((faulty, examined))
    if many > samples - few:
        return 0.0
    return math.exp(float(np.log1p(-many / (samples - np.arange(few))).sum()))
