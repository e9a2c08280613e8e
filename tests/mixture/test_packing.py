"""Rows out of documents: windows that count their targets exactly, and whole documents that always fit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.mixture.packing import best_fit, cuts_between, fit_documents, pieces_between, window_rows, window_targets


def pieces_of(offsets, start, stop):
    return pieces_between(cuts_between(offsets, start, stop), start, stop)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 32), st.integers(0, 39))
def test_window_targets_are_those_of_the_windows(lengths, context, parted):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    pieces = [pieces_of(offsets, start, min(start + context, offsets[-1])) for start in range(0, offsets[-1], context)]
    assert len(pieces) == window_rows(int(offsets[-1]), context)
    assert sum(each.sum() for each in pieces) == offsets[-1]
    parted = min(parted, len(lengths) - 1)
    for runs in ([offsets], [offsets[: parted + 1], offsets[parted:]]):
        assert window_targets(runs, context) == sum((each - 1).sum() for each in pieces)


def test_pieces_end_where_documents_end():
    offsets = np.array([0, 3, 10, 12])
    assert pieces_of(offsets, 0, 8).tolist() == [3, 5]
    assert pieces_of(offsets, 8, 12).tolist() == [2, 2]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=300))
@settings(deadline=None)
def test_documents_are_whole_and_each_has_one_place(lengths):
    order, rows = fit_documents(np.array(lengths), 100)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert all(np.array(lengths)[order[a:b]].sum() <= 100 for a, b in pairwise(rows))
    assert (np.diff(rows) > 0).all() and rows[-1] == len(lengths)


def test_best_fit_prefers_the_fullest_row_with_room():
    assert best_fit(np.array([6, 7, 3, 4]), 10).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("context", [1024, 2048, 4096])
def test_rows_of_realistic_lengths_are_nearly_full(context):
    lengths = np.clip(np.exp(np.random.default_rng(0).normal(5.8, 0.7, 10_000)), 20, context).astype(np.int64)
    _, rows = fit_documents(lengths, context)
    assert lengths.sum() / ((len(rows) - 1) * context) >= 0.99
