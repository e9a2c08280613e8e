from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from vaak.codec.batches import equal_length_batches, one_thread, windows


@given(st.lists(st.integers(1, 12)), st.integers(1, 40))
def test_a_batch_holds_items_of_one_length_and_no_more_than_fit(lengths, limit):
    batches = equal_length_batches(lengths, limit)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len({lengths[i] for i in batch}) == 1
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= limit
    # No two batches could have been one.
    for one, other in pairwise(batches):
        length = lengths[one[0]]
        assert length != lengths[other[0]] or (len(one) + 1) * length > limit


@given(st.integers(1, 500), st.integers(1, 100), st.integers(1, 60), st.integers(0, 20))
def test_windows_keep_every_code_once(n, whole, window, context):
    pieces = windows(n, whole, window, context)
    assert [i for start, stop, _, _ in pieces for i in range(start, stop)] == list(range(n))
    for start, stop, left, right in pieces:
        assert left == max(0, start - context) or n <= whole
        assert 0 <= left <= start < stop <= right <= n
    assert len(pieces) == 1 or n > whole


def test_one_thread_is_given_back():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
