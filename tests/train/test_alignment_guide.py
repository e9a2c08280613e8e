"""The guide of attention: where it points, what it costs, and that attention learns it."""

import numpy as np
import pytest
import torch

from vaak.grammar.prompt import paired_ids
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import create_model
from vaak.model.attention import guide_loss, packed_attention
from vaak.recipe import OptimizerSettings
from vaak.train.alignment_guide import WIDTH, document_guide, with_alignment_guide
from vaak.train.optimizer import build_optimizer
from vaak.train.step import Stepper

VOCABULARY = Vocabulary(base_size=10, codebook_size=50, end_of_text_id=0)
# Ids 1 to 9 stand for as many bytes as their number says.
TEXT_BYTES = np.arange(10)


def test_it_points_along_the_text_and_sums_to_its_strength():
    ids = paired_ids(VOCABULARY, [4, 4, 4, 4], np.arange(42), voice_ids=[7, 8])
    guide = document_guide(ids, 0.3, VOCABULARY, TEXT_BYTES)
    assert guide is not None and (guide.first, guide.start) == (4, 8)
    assert guide.weights.shape == (44, 4) and guide.weights.dtype == np.float32
    assert np.allclose(guide.weights.sum(1), 0.3)
    assert np.array_equal(guide.weights.argmax(1), ((np.arange(44) + 0.5) * 4 / 44).astype(int))
    assert document_guide(VOCABULARY.speech_ids(np.arange(9)), 0.3, VOCABULARY, TEXT_BYTES) is None


def test_a_bell_written_out():
    ids = paired_ids(VOCABULARY, [9, 3], np.arange(10))
    guide = document_guide(ids, 1.0, VOCABULARY, TEXT_BYTES)
    assert guide is not None
    heard = 12 * 0.5 / 12  # of 12 bytes over 12 places, at the first
    bell = [9 * np.exp(-((heard - 4.5) ** 2) / 2 / WIDTH**2), 3 * np.exp(-((heard - 10.5) ** 2) / 2 / WIDTH**2)]
    assert np.allclose(guide.weights[0], np.array(bell) / sum(bell))


def test_the_loss_is_cross_entropy_with_softmax_written_out():
    random = torch.Generator().manual_seed(0)
    query, key = torch.randn(4, 12, 8, generator=random), torch.randn(2, 12, 8, generator=random)
    guide = document_guide(paired_ids(VOCABULARY, [4, 2], np.arange(8)), 0.5, VOCABULARY, TEXT_BYTES)
    assert guide is not None and guide.start + len(guide.weights) == 12
    wanted = 0.0
    for head in range(3):  # three of the four
        for place in range(guide.start, 12):
            logits = query[head, place] @ key[head // 2, : place + 1].T / 8**0.5
            attention = torch.softmax(logits, 0)[guide.first : guide.start]
            wanted -= float((torch.from_numpy(guide.weights[place - guide.start]) * attention.log()).sum()) / 3
    assert float(guide_loss(query, key, guide, None)) == pytest.approx(wanted, rel=1e-5)


def test_each_document_pays_for_itself_and_the_output_is_the_same():
    random = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(1, heads, 24, 8, generator=random) for heads in (4, 2, 2))
    guide = document_guide(paired_ids(VOCABULARY, [4, 2], np.arange(8)), 1.0, VOCABULARY, TEXT_BYTES)
    module, paid = torch.nn.Module(), []
    found, _ = packed_attention(
        module, query, key, value, None, doc_lens=[[12, 12]], doc_guides=[[None, guide]], guide_losses=paid
    )
    assert torch.equal(found, packed_attention(module, query, key, value, None, doc_lens=[[12, 12]])[0])
    assert [float(one) for one in paid] == [float(guide_loss(query[0, :, 12:], key[0, :, 12:], guide, None))]


def test_the_reported_loss_is_the_same_and_attention_learns(served, recipe):
    data, batches = served
    vocabulary, text_bytes, batch = data.vocabulary, data.tokenizer.byte_lengths(), batches(8)[0]
    assert with_alignment_guide(batch, 0.0, vocabulary, text_bytes) is batch
    guided = with_alignment_guide(batch, 1.0, vocabulary, text_bytes)
    model = create_model(recipe.model, vocabulary, seed=1)
    stepper = Stepper(model, build_optimizer(model, OptimizerSettings(), 1e-2), 1.0, "fp32")

    def paid() -> float:
        with torch.no_grad():
            output = model.forward_loss(guided)
            assert float(output.sum) == float(model.forward_loss(batch).sum)
            return float(output.objective - output.sum) / batch.n_targets

    before = paid()
    assert stepper.step([batch], 0.0).loss == stepper.step([guided], 0.0).loss
    for _ in range(15):
        stepper.step([guided], 1e-2)
    assert 0 < paid() < before / 2


def test_half_the_strength_costs_half(served, recipe):
    data, batches = served
    model, batch = create_model(recipe.model, data.vocabulary, seed=1), batches(4)[0]
    paid = []
    for strength in (0.5, 1.0):
        output = model.forward_loss(
            with_alignment_guide(batch, strength, data.vocabulary, data.tokenizer.byte_lengths())
        )
        paid.append(float((output.objective - output.sum).detach()))
    assert paid[1] == pytest.approx(2 * paid[0], rel=1e-4)
