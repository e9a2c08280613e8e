"""Connected components of a graph whose edges come in blocks: union-find over an array of labels that may be a file.

`labels[i] <= i` always: a chain of labels leads down to the root, which is the smallest member of the component. So the
result does not depend on the order of the edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def roots(labels: NDArray[np.int64], members: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The root of each member. The labels of the members are set to it, so that the next search is short."""
    found = labels[members]
    while True:
        above = labels[found]
        if np.array_equal(above, found):
            break
        # Twice as far with each turn: what was passed on the way is shortened too.
        labels[members] = above
        found = labels[above]
    labels[members] = found
    return found


def join(labels: NDArray[np.int64], first: NDArray[np.integer[Any]], second: NDArray[np.integer[Any]]) -> None:
    """Make one component of the two of each edge (first[i], second[i])."""
    while True:
        first, second = roots(labels, first), roots(labels, second)
        apart = first != second
        if not apart.any():
            return
        first, second = first[apart], second[apart]
        # Of a root with several edges the smallest neighbour, or the tips of a star would be hung up one in each turn.
        np.minimum.at(labels, np.maximum(first, second), np.minimum(first, second))
