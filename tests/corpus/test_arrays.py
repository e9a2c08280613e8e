"""An array that grows on disk is the file that numpy would have saved."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.corpus.arrays import GrowingArray
from vaak.errors import BadInput


@settings(max_examples=40)
@given(
    pieces=st.lists(st.integers(0, 50), max_size=6),
    dtype=st.sampled_from(["<u2", "<u4", "<i8"]),
    cut=st.integers(0, 300),
)
def test_it_is_what_numpy_saves(tmp_path_factory, pieces, dtype, cut):
    """Also when it goes back to an earlier length and grows from there again."""
    path = tmp_path_factory.mktemp("array") / "a.npy"
    values = np.arange(sum(pieces)).astype(dtype)
    array, at = GrowingArray(path, np.dtype(dtype)), 0
    for n in pieces:
        array.append(values[at : at + n])
        at += n
    array.abandon()
    cut = min(cut, len(values))
    again = GrowingArray(path, np.dtype(dtype), cut)
    again.append(values[cut:])
    again.close()
    saved = io.BytesIO()
    np.save(saved, values)
    assert path.read_bytes() == saved.getvalue()


def test_a_file_that_lost_its_end_is_named(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", np.dtype(np.uint16))
    array.append(np.arange(10, dtype=np.uint16))
    array.close()
    with pytest.raises(BadInput, match=r"a\.npy has lost its end"):
        GrowingArray(tmp_path / "a.npy", np.dtype(np.uint16), 11)
    with pytest.raises(TypeError, match="holds uint16"):
        GrowingArray(tmp_path / "b.npy", np.dtype(np.uint16)).append(np.arange(3))
