"""Copies are found where they were moved, cut or mended, and an honest rendering is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.score.reward_gates import copied_share, level_db

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 4096, 200).astype(np.uint16)
OTHERS = RNG.integers(0, 4096, 200).astype(np.uint16)
RATE = 16_000


def test_a_copy_is_all_copied_and_other_codes_are_not():
    assert copied_share(CODES, CODES) == 1.0
    assert copied_share(CODES, OTHERS) < 0.02


@pytest.mark.parametrize("shift", [-12, -3, 1, 12])
def test_a_copy_that_begins_earlier_or_later_is_found(shift):
    moved = CODES[-shift:] if shift < 0 else np.concatenate([OTHERS[:shift], CODES])
    assert copied_share(moved, CODES) == pytest.approx(len(CODES) / len(moved) if shift > 0 else 1.0)


def test_beyond_a_quarter_of_a_second_it_is_another_place_of_the_text():
    assert copied_share(np.concatenate([OTHERS[:13], CODES]), CODES) < 0.02


def test_each_part_of_a_copy_has_its_own_place():
    mended = np.concatenate([CODES[:60], OTHERS[:2], CODES[60:120], CODES[123:]])
    assert copied_share(mended, CODES) == pytest.approx(1 - 2 / len(mended))


def test_of_codes_at_one_place_each_counts():
    scattered = np.where(np.arange(200) % 2 == 0, CODES, 5000)
    assert copied_share(scattered, CODES) == 0.5


def test_of_codes_at_several_places_runs_of_four_count_and_of_three_do_not():
    # Ten pieces of the reference at several shifts between codes that it does not have: of pieces of
    # three codes only the two at the commonest shift count.
    for run, expected in ((3, 6), (4, 40)):
        pieces = [np.concatenate([np.full(1 + i % 2, 5000), CODES[20 * i : 20 * i + run]]) for i in range(10)]
        gaps = [np.full(20 - len(piece) + i % 3, 5001) for i, piece in enumerate(pieces)]
        codes = np.concatenate([part for both in zip(pieces, gaps, strict=True) for part in both])
        assert copied_share(codes, CODES) * len(codes) == pytest.approx(expected)


def test_the_type_of_the_codes_is_of_no_account():
    assert copied_share(CODES.astype(np.int64), CODES.astype(np.uint16)) == 1.0


def test_where_there_is_nothing_nothing_is_copied():
    none = np.zeros(0, np.uint16)
    assert copied_share(none, CODES) == copied_share(CODES, none) == 0.0


@given(st.lists(st.integers(0, 5), max_size=60), st.lists(st.integers(0, 5), max_size=60))
def test_it_is_a_share(codes, reference):
    assert 0.0 <= copied_share(np.array(codes, np.uint16), np.array(reference, np.uint16)) <= 1.0


def test_the_level_is_that_of_the_loud_frames():
    tone = np.sin(np.arange(RATE) * 0.3).astype(np.float32)
    assert level_db(tone, RATE) == pytest.approx(-3.0, abs=0.1)
    assert level_db(0.01 * tone, RATE) == pytest.approx(-43.0, abs=0.1)
    # Pauses do not make speech quiet.
    assert level_db(np.concatenate([tone, np.zeros(5 * RATE, np.float32)]), RATE) == pytest.approx(-3.0, abs=0.1)


def test_no_sound_has_the_lowest_level():
    assert level_db(np.zeros(0, np.float32), RATE) == level_db(np.zeros(RATE, np.float32), RATE) == -120.0
