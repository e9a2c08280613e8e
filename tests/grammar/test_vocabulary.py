from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vaak.errors import BadInput
from vaak.grammar.vocabulary import CONTROL_TOKENS, Vocabulary

QWEN = Vocabulary(base_size=151669, codebook_size=65536, end_of_text_id=151643)


def test_the_parts_follow_each_other_without_gap():
    controls = [QWEN.speech_start, QWEN.speech_end, QWEN.voice_start, QWEN.voice_end]
    assert controls == list(range(151669, 151673))
    assert len(controls) == len(CONTROL_TOKENS)
    assert QWEN.first_speech_id == 151673
    assert QWEN.size == 151673 + 65536
    assert QWEN.padded_size == 217216 and QWEN.padded_size % 128 == 0


def test_uint16_codes_are_widened_before_the_addition():
    # uint16 + int raises in numpy 2 and uint16 + uint16 wraps: 65535 would become a text id.
    codes = np.array([0, 1, 65535], np.uint16)
    ids = QWEN.speech_ids(codes)
    assert ids.dtype == np.int64
    assert ids.tolist() == [151673, 151674, 151673 + 65535]


@given(hnp.arrays(np.uint16, st.integers(0, 50)))
def test_codes_come_back(codes):
    ids = QWEN.speech_ids(codes)
    back = QWEN.codes(ids)
    assert back.dtype == np.uint16 and (back == codes).all()
    assert QWEN.is_speech(ids).all()


@pytest.mark.parametrize("codes", [[-1], [65536], np.array([70000], np.int32), np.array([2**63], np.uint64)])
def test_a_code_out_of_range_is_refused(codes):
    with pytest.raises(BadInput):
        QWEN.speech_ids(codes)


def test_codes_that_are_no_integers_are_refused():
    with pytest.raises(BadInput, match="integers"):
        QWEN.speech_ids([1.0])


@pytest.mark.parametrize("number", [0, QWEN.speech_end, QWEN.first_speech_id - 1, QWEN.size, QWEN.padded_size])
def test_an_id_that_is_no_speech_id_is_refused(number):
    with pytest.raises(BadInput, match=str(number)):
        QWEN.codes([QWEN.first_speech_id, number])
    assert not QWEN.is_speech([number])[0]


def test_nothing_is_no_codes():
    assert QWEN.speech_ids([]).shape == (0,) and QWEN.codes([]).dtype == np.uint16


def test_it_is_saved_and_loaded(tmp_path):
    QWEN.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == QWEN == Vocabulary.load(tmp_path)


def test_other_control_tokens_are_refused():
    with pytest.raises(BadInput, match="control tokens"):
        Vocabulary.from_dict({**QWEN.to_dict(), "control_tokens": ["<|x|>"]})
    with pytest.raises(BadInput, match="end_of_text_id"):
        Vocabulary.from_dict({"base_size": 5, "codebook_size": 5})


def test_impossible_sizes_are_refused():
    for sizes in [(0, 10, 0), (10, 70000, 0), (10, 10, 10)]:
        with pytest.raises(BadInput):
            Vocabulary(*sizes)
