"""Rows out of documents: windows that count their targets exactly, and whole documents that always fit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.mixture.packing import (
    best_fit,
    fit_documents,
    group_by_length,
    window_rows,
    window_targets,
)


def pieces_of(offsets, start, stop):
    inside = [one for one in offsets.tolist() if start < one < stop]
    return np.diff([start, *inside, stop])


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


@given(st.lists(st.integers(1, 64), max_size=200))
def test_buckets_hold_documents_of_one_length_class_each_once(lengths):
    lengths = np.array(lengths, np.int64)
    order, rows = group_by_length(lengths, 64)
    assert sorted(order.tolist()) == list(range(len(lengths))) and rows[-1] == len(lengths)
    classes = [64 // lengths[order[a:b]] for a, b in pairwise(rows.tolist())]
    for one in classes:
        assert len(set(one.tolist())) == 1 and 1 <= len(one) <= one[0]
    # Only the last row of a bucket may have fewer documents than fit.
    short = [int(one[0]) for one in classes if len(one) < one[0]]
    assert len(short) == len(set(short))


def test_what_buckets_cost_in_padding():
    """Lengths of speech of about eight seconds: buckets leave an eighth to a quarter of the rows empty, fitted rows nothing."""
    lengths = np.clip(np.random.default_rng(0).lognormal(5.9, 0.5, 20_000), 20, 2048).astype(np.int64)
    fill = {}
    for fit in (fit_documents, group_by_length):
        _, rows = fit(lengths, 2048)
        fill[fit] = lengths.sum() / ((len(rows) - 1) * 2048)
    assert fill[fit_documents] > 0.995 and 0.75 < fill[group_by_length] < 0.93
