"""The prior on attention: where it draws the codes, what it leaves alone, and that it ends."""

import numpy as np
import pytest

from vaak.grammar.prompt import paired_ids
from vaak.grammar.tokenizer import train_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.train.alignment_prior import DEEPEST, RAISED, document_bias, with_alignment_prior

VOCABULARY = Vocabulary(base_size=10, codebook_size=50, end_of_text_id=0)
# Ids 1 to 9 stand for as many bytes as their number says.
TEXT_BYTES = np.arange(10)


def test_speech_at_an_even_pace_is_drawn_from_the_first_token_to_the_last():
    ids = paired_ids(VOCABULARY, [4, 4, 4, 4], np.arange(42))
    bias = document_bias(ids, 1.0, VOCABULARY, TEXT_BYTES)
    assert bias is not None and bias.shape == (len(ids), len(ids)) and bias.dtype == np.float32
    preferred = bias[4:, :4].argmax(1)  # from speech_start, which predicts the first code, to the last
    assert np.array_equal(preferred, ((np.arange(44) + 0.5) * 4 / 44).astype(int))
    assert bias.min() >= RAISED - DEEPEST and RAISED - 1 < bias.max() <= RAISED


def test_a_longer_token_is_said_for_longer():
    ids = paired_ids(VOCABULARY, [9, 3], np.arange(39))
    preferred = document_bias(ids, 1.0, VOCABULARY, TEXT_BYTES)[2:, :2].argmax(1)  # pyright: ignore
    # The border is where both middles (4.5 and 10.5 bytes of 12) are equally far.
    assert 24 <= int((preferred == 0).sum()) <= 26


def test_only_transcripts_are_touched():
    ids = paired_ids(VOCABULARY, [4, 4], np.arange(9), voice_ids=[7, 8, 9])
    bias = document_bias(ids, 1.0, VOCABULARY, TEXT_BYTES)
    assert bias is not None
    bias[7:, 5:7] = 0
    assert not bias.any()
    assert document_bias(VOCABULARY.speech_ids(np.arange(9)), 1.0, VOCABULARY, TEXT_BYTES) is None


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_strength_multiplies_it(strength):
    ids = paired_ids(VOCABULARY, [4, 4, 4], np.arange(20))
    whole = document_bias(ids, 1.0, VOCABULARY, TEXT_BYTES)
    assert np.array_equal(document_bias(ids, strength, VOCABULARY, TEXT_BYTES), np.float32(strength) * whole)  # pyright: ignore


def test_each_document_of_a_batch_gets_its_own(served):
    data, batches = served
    vocabulary, text_bytes, batch = data.vocabulary, data.tokenizer.byte_lengths(), batches(8)[0]
    biased = with_alignment_prior(batch, 0.5, vocabulary, text_bytes)
    assert biased.input_ids is batch.input_ids and biased.doc_bias is not None
    for ids, lengths, row in zip(batch.input_ids, batch.doc_lens, biased.doc_bias, strict=True):
        documents = np.split(ids, np.cumsum(lengths)[:-1])
        assert [None if bias is None else bias.shape for bias in row] == [
            (len(one), len(one)) if (one == vocabulary.speech_start).any() else None for one in documents
        ]
    assert any(bias is not None for row in biased.doc_bias for bias in row)
    assert with_alignment_prior(batch, 0.0, vocabulary, text_bytes) is batch


def test_every_byte_of_a_text_is_counted():
    tokenizer = train_tokenizer(["the red house", "मेरा घर लाल है"] * 5, 300)
    for text in ("the red house", "मेरा घर", "größer"):
        assert tokenizer.byte_lengths()[tokenizer.encode(text)].sum() == len(text.encode())
