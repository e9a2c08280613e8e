"""Noise in the context: only codes, only in the input, and the same for the same row however it is served."""

import numpy as np

from vaak.train.context_noise import with_context_noise


def test_it_replaces_its_share_of_the_codes_and_nothing_else(served):
    data, batches = served
    vocabulary = data.vocabulary
    batch = batches(8)[0]
    noisy = with_context_noise(batch, 0.5, vocabulary, seed=3)
    codes = batch.input_ids >= vocabulary.first_speech_id
    changed = noisy.input_ids != batch.input_ids
    assert not changed[~codes].any()
    assert 0.4 < changed[codes].mean() < 0.52  # some are replaced by the same code
    assert noisy.labels is batch.labels and noisy.position_ids is batch.position_ids
    assert with_context_noise(batch, 0.0, vocabulary, seed=3) is batch
    for before, after in zip(batch.input_ids, noisy.input_ids, strict=True):
        assert set(after[after >= vocabulary.first_speech_id]) <= set(before)


def test_it_depends_on_the_row_and_the_seed_alone(served):
    data, batches = served
    vocabulary = data.vocabulary
    whole = with_context_noise(batches(8)[0], 0.5, vocabulary, seed=3).input_ids
    cut = [with_context_noise(one, 0.5, vocabulary, seed=3).input_ids for one in batches(2)]
    assert np.array_equal(whole, np.concatenate(cut))
    resumed = with_context_noise(batches(2, start=4)[0], 0.5, vocabulary, seed=3).input_ids
    assert np.array_equal(whole[4:6], resumed)
    assert not np.array_equal(whole, with_context_noise(batches(8)[0], 0.5, vocabulary, seed=4).input_ids)
