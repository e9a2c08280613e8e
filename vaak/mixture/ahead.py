"""What rows will need before they are built: which stretches of which cells come next, in closed form."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vaak.mixture.order import mix64, window_of
from vaak.mixture.plan import Plan


def stretches_ahead(plan: Plan, row: int, keys: NDArray[np.uint64]) -> Iterator[tuple[float, int, int, int]]:
    """`(when, cell, first, stop)`: rows first..stop of a cell's epoch, which rows of the plan from about `when` on are
    taken from.

    In the order in which they are come to, as nearly as the pace of the cells says: first every cell's stretch of now,
    those of dense cells first, then what follows each. `keys` (uint64[cells]) are those of the cells' permutations. Ends
    when every cell is through its epoch once more.
    """
    rows = plan.interleave.rows
    # When the next row of a stretch comes, which cell's, and which visit of the cell that is.
    coming = []
    for cell, visit in enumerate(plan.interleave.counts(row).tolist()):
        pace = float(plan.n_rows / rows[cell])
        heapq.heappush(coming, (row + pace / 2, cell, visit, visit + plan.cells[cell].epoch_rows))
    while coming:
        when, cell, visit, last = heapq.heappop(coming)
        size = plan.cells[cell].epoch_rows
        epoch, within = divmod(visit, size)
        end, first, stop = window_of(within, size, epoch_key(int(keys[cell]), epoch), plan.window)
        yield when, cell, first, stop
        if visit < last:
            following = epoch * size + end
            pace = float(plan.n_rows / rows[cell])
            heapq.heappush(coming, (when + (following - visit) * pace, cell, following, last))


def epoch_key(key: int, epoch: int) -> int:
    """The key of a cell's permutation in one epoch."""
    return int(mix64(np.array([key], dtype=np.uint64) + np.uint64(epoch))[0])
