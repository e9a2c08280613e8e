from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.text.duplicates.components import join, roots

EDGES = st.integers(1, 60).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=80))
)


def plain(n: int, edges) -> list[int]:
    """The smallest member of each one's component, by following edges until nothing changes."""
    labels, changed = list(range(n)), True
    while changed:
        changed = False
        for a, b in edges:
            low = min(labels[a], labels[b])
            changed |= labels[a] != low or labels[b] != low
            labels[a] = labels[b] = low
    return labels


@given(EDGES, st.integers(1, 80))
def test_labels_are_the_smallest_member_whatever_the_blocks(graph, block):
    n, edges = graph
    labels = np.arange(n)
    for start in range(0, len(edges), block):
        first, second = np.array(edges[start : start + block]).T
        join(labels, first, second)
    assert roots(labels, np.arange(n)).tolist() == plain(n, edges)


N = 20_000
PATH = np.arange(N)
SHUFFLED = np.random.default_rng(0).permutation(N)


@pytest.mark.parametrize(
    "first,second",
    [
        (PATH[:-1], PATH[1:]),
        (PATH[:0:-1], PATH[-2::-1]),
        (SHUFFLED[:-1], SHUFFLED[1:]),
        (PATH, np.full(N, 0)),
        (PATH, np.full(N, N - 1)),  # its tips join one by one if a root takes any of its edges: hours for a million
        (PATH, np.full(N, N // 2)),
    ],
    ids=["path", "path backwards", "path of any order", "star of the first", "star of the last", "star"],
)
def test_long_paths_and_stars_are_one_component(first, second):
    labels = np.arange(N)
    join(labels, first, second)
    assert (roots(labels, PATH) == 0).all()
