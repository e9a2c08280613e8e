"""Known distributions of codes have known entropies."""

import numpy as np
import pytest

from vaak.codec.codebook import codebook_use


def test_equal_shares_carry_log2_of_their_number():
    use = codebook_use([np.arange(8, dtype=np.uint16), np.arange(8, dtype=np.uint16)], 16)
    assert (use.codes, use.used, use.share) == (16, 8, 0.5)
    assert use.entropy == pytest.approx(3) and use.perplexity == pytest.approx(8)


def test_unequal_shares():
    assert codebook_use([np.array([0, 0, 1, 2])], 4).entropy == pytest.approx(1.5)


def test_one_code_and_none_carry_nothing():
    assert codebook_use([np.zeros(50, np.uint16)], 4096).entropy == 0.0
    empty = codebook_use([], 4096)
    assert (empty.codes, empty.used, empty.entropy, empty.perplexity) == (0, 0, 0.0, 1.0)


def test_a_code_outside_the_book_is_refused():
    with pytest.raises(ValueError):
        codebook_use([np.array([4])], 4)
