from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.text.duplicates.disk import Column, Partitions, array_file, blocks, partition_bits, release


def test_a_column_grows_and_is_read_back(tmp_path):
    column = Column(tmp_path / "pairs.bin", np.dtype("<u8"), 2)
    assert len(column) == 0 and column.open().shape == (0, 2)
    column.append(np.array([[1, 2], [3, 4]], np.uint64))
    column.append(np.array([[5, 6]]))
    assert len(column) == 3
    assert column.open().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_records_come_back_by_part_in_their_order(tmp_path):
    partitions = Partitions(tmp_path / "parts", np.dtype("<i8"), 4)
    partitions.add(np.array([10, 11, 12, 13]), np.array([2, 0, 2, 3]))
    partitions.add(np.array([14, 15]), np.array([0, 0]))
    assert [one.tolist() for one in partitions.take()] == [[11, 14, 15], [10, 12], [13]]
    assert list((tmp_path / "parts").iterdir()) == []


@given(st.integers(0, 10**9), st.integers(1, 10**7))
def test_parts_are_as_few_as_the_limit_allows(records, most):
    bits = partition_bits(records, most)
    assert records <= most << bits
    assert bits == 0 or records > most << (bits - 1)


@pytest.mark.parametrize("n", [0, 5])
def test_an_array_file_opens_with_numpy_alone(tmp_path, n):
    array = array_file(tmp_path / "new" / "a.npy", np.int64, n)
    array[:] = np.arange(n)
    release(array)
    assert array.tolist() == list(range(n))
    assert np.load(tmp_path / "new" / "a.npy").tolist() == list(range(n))


def test_blocks_cover_all():
    assert [(one.start, one.stop) for one in blocks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(blocks(0, 3)) == []
