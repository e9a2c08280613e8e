"""The order of rows: exact counts, balanced windows, bijections, and a golden record of them all."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.mixture.order import Interleave, apportion, floor_sum, key_of, multiplier, permute, permute_near, window_of

shares = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=40).map(np.array)


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
@settings(max_examples=60)
def test_permute_is_a_bijection(size, key):
    images = permute(np.arange(size), np.array([size]), np.array([key], dtype=np.uint64))
    assert sorted(images.tolist()) == list(range(size))


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 2**64 - 1))
@settings(max_examples=60)
def test_permute_near_is_a_bijection_that_goes_window_by_window(size, window, key):
    keys = np.array([key], dtype=np.uint64)
    images = permute_near(np.arange(size), np.array([size]), keys, window)
    assert sorted(images.tolist()) == list(range(size))
    for visit in range(0, size, window):
        end, first, stop = window_of(visit, size, key, window)
        assert end == min(visit + window, size) and first <= images[visit:end].min() <= images[visit:end].max() < stop
        assert stop - first == end - visit
    if size <= window:
        assert images.tolist() == permute(np.arange(size), np.array([size]), keys).tolist()


def test_windows_and_what_is_in_them_are_shuffled():
    images = permute_near(np.arange(10_000), np.array([10_000]), np.array([5], dtype=np.uint64), 100)
    assert (np.diff(images // 100) != 0).sum() == 99 and (np.diff(images[::100] // 100) != 1).mean() > 0.9
    inside = images.reshape(100, 100) % 100
    assert len({tuple(one) for one in inside.tolist()}) == 100 and np.abs(inside.mean(0) - 49.5).max() < 15


def test_permute_of_a_billion_stays_inside_and_has_no_collision():
    images = permute(np.arange(10_000) * 99_991, np.array([10**9]), np.array([7], dtype=np.uint64))
    assert images.min() >= 0 and images.max() < 10**9 and len(set(images.tolist())) == 10_000


@given(st.integers(0, 200), st.integers(1, 300), st.integers(0, 900), st.integers(0, 900))
def test_floor_sum_is_the_sum_of_floors(n, modulus, slope, offset):
    assert floor_sum(n, modulus, slope, offset) == sum((slope * i + offset) // modulus for i in range(n))


@given(shares, st.integers(1, 5000))
def test_apportion_adds_up_and_no_run_of_cells_is_off_by_more_than_a_row(weights, total):
    rows = apportion(weights, total)
    exact = weights / weights.sum() * total
    assert rows.sum() == total and (rows >= 0).all()
    assert np.abs(np.cumsum(rows) - np.cumsum(exact)).max() <= 0.5 + 1e-6


@given(shares, st.integers(50, 3000), st.integers(0, 5))
@settings(max_examples=40)
def test_counts_are_what_counting_gives_and_any_window_is_balanced(weights, total, seed):
    rows = apportion(weights, total)
    order = Interleave(rows, seed)
    cells = order.cells(np.arange(2 * total))
    counted = np.vstack([np.zeros(len(rows), dtype=int), np.cumsum(cells[:, None] == np.arange(len(rows)), axis=0)])
    for number in (0, 1, total // 3, total - 1, total, total + 7, 2 * total - 1):
        assert order.counts(number).tolist() == counted[number].tolist()
    assert counted[total].tolist() == rows.tolist()
    for window in (8, 50, total // 2):
        held = counted[window:] - counted[:-window]
        assert np.abs(held - rows / total * window).max() < 6


def test_a_million_token_window_of_a_stage_is_within_a_point():
    rows = apportion(np.array([0.82 * 0.45, 0.82 * 0.15, 0.82 * 0.40, 0.08, 0.10]), 380_000 * 256)
    order = Interleave(rows, seed=1)
    window = 500  # rows of 2,048: a million tokens
    for start in np.random.default_rng(0).integers(0, order.total, 200):
        counts = order.counts(int(start) + window) - order.counts(int(start))
        assert np.abs(counts / window - rows / order.total).max() < 0.01


def test_visits_count_each_cell_from_zero():
    order = Interleave(np.array([5, 3, 2]), seed=3)
    cells, visits = order.visits(0, 25)
    for cell in range(3):
        assert visits[cells == cell].tolist() == list(range((cells == cell).sum()))
    late_cells, late_visits = order.visits(13, 25)
    assert late_cells.tolist() == cells[13:].tolist() and late_visits.tolist() == visits[13:].tolist()


def test_seeking_costs_the_same_at_row_ten_and_row_a_billion():
    order = Interleave(apportion(np.arange(1, 61.0), 10**9), seed=1)
    calls = []
    for row in (10, 10**9 - 5, 10**15):
        cells, visits = order.visits(row, row + 4)
        calls.append(len(cells))
        assert (visits >= 0).all()
    assert calls == [4, 4, 4]


@pytest.mark.parametrize("rows", [3, 10, 2400, 10**6, 122_070_312])
def test_the_multiplier_is_coprime(rows):
    assert np.gcd(multiplier(rows), rows) == 1


def test_golden_order():
    """If this fails the order has changed: raise ORDER_VERSION, and say so to those whose runs are under way."""
    rows = apportion(np.array([0.82, 0.08, 0.10]), 2400)
    cells, visits = Interleave(rows, seed=7).visits(1_000, 1_024)
    assert "".join(map(str, cells)) == GOLDEN_CELLS
    assert (
        permute(np.arange(8), np.array([1000]), np.array([key_of("golden", 1)], dtype=np.uint64)).tolist()
        == GOLDEN_IMAGES
    )
    whole = np.concatenate(Interleave(rows, seed=7).visits(0, 2400))
    assert hashlib.sha256(whole.tobytes()).hexdigest()[:16] == GOLDEN_HASH
    assert visits[0] == GOLDEN_VISIT


GOLDEN_CELLS = "000100000020000102000010"
GOLDEN_IMAGES = [246, 907, 324, 914, 967, 469, 995, 426]
GOLDEN_HASH = "c164395ad6d73130"
GOLDEN_VISIT = 820
