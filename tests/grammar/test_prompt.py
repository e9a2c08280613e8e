from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.errors import BadInput
from vaak.grammar.prompt import paired_ids, pretrain_labels, prompt_ids, sft_labels
from vaak.grammar.vocabulary import Vocabulary

V = Vocabulary(base_size=100, codebook_size=50, end_of_text_id=0)
START, END, VOICE, VOICE_END, FIRST = 100, 101, 102, 103, 104

text_ids = st.lists(st.integers(0, 99), min_size=1, max_size=8)
codes = st.lists(st.integers(0, 49), min_size=1, max_size=8)


def test_a_prompt_is_the_transcript_and_speech_start():
    assert prompt_ids(V, [5, 6]).tolist() == [5, 6, START]
    assert prompt_ids(V, [5, 6], [7]).tolist() == [VOICE, 7, VOICE_END, 5, 6, START]
    assert prompt_ids(V, [5, 6], []).tolist() == [5, 6, START]


def test_a_paired_document_is_the_prompt_the_codes_and_speech_end():
    ids = paired_ids(V, [5, 6], np.array([0, 49], np.uint16), [7])
    assert ids.dtype == np.int64
    assert ids.tolist() == [VOICE, 7, VOICE_END, 5, 6, START, FIRST, FIRST + 49, END]


@given(text_ids, codes, st.none() | text_ids)
def test_training_begins_with_what_inference_asks_with(transcript, speech, voice):
    prompt = prompt_ids(V, transcript, voice)
    assert paired_ids(V, transcript, speech, voice)[: len(prompt)].tolist() == prompt.tolist()


@pytest.mark.parametrize("bad", [[START], [100], [-1], [FIRST]])
def test_a_transcript_cannot_hold_anything_but_text(bad):
    with pytest.raises(BadInput):
        prompt_ids(V, [5, *bad])
    with pytest.raises(BadInput, match="voice description"):
        prompt_ids(V, [5], bad)


def test_pretraining_learns_every_next_token_but_the_one_after_the_last():
    assert pretrain_labels([1, 2, 3]).tolist() == [2, 3, -100]
    assert pretrain_labels([]).tolist() == []


def test_sft_learns_speech_start_to_speech_end_and_nothing_else():
    ids = paired_ids(V, [5, 6], [8, 9], [7])
    # ids                  voice 7     voice_end 5     6      start       8         9    end
    assert sft_labels(V, ids).tolist() == [-100, -100, -100, -100, START, FIRST + 8, FIRST + 9, END, -100]


@given(text_ids, codes, st.none() | text_ids)
def test_sft_targets_are_exactly_start_codes_end(transcript, speech, voice):
    ids = paired_ids(V, transcript, speech, voice)
    labels = sft_labels(V, ids)
    assert labels.dtype == np.int64 and len(labels) == len(ids)
    assert labels[labels != -100].tolist() == [START, *V.speech_ids(speech).tolist(), END]
    # Already shifted, once: where there is a target it is the very next id.
    at = np.flatnonzero(labels != -100)
    assert (labels[at] == ids[at + 1]).all()
    assert labels[-1] == -100


def test_a_document_that_begins_with_speech_start_has_nothing_to_predict_it_from():
    assert sft_labels(V, [START, FIRST, END]).tolist() == [FIRST, END, -100]


@pytest.mark.parametrize("ids", [[], [5, START, FIRST], [5, FIRST, END], [5, START, START, END]])
def test_a_cut_document_is_refused(ids):
    with pytest.raises(BadInput, match="speech_start"):
        sft_labels(V, ids)
