"""Packing changes where a document stands, never what is computed for it."""

import numpy as np
import torch

from tests.model.tiny_models import batch
from vaak.model.attention import packed_attention, row_masks

LENS = [[10, 5, 15], [30]]


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def single_documents(packed):
    """The documents of a packed batch as batches of one document each."""
    for row, lens in enumerate(packed.doc_lens):
        ends = np.cumsum(lens)
        for start, end in zip(ends - lens, ends, strict=True):
            one = batch([[int(end - start)]])
            for name in ("input_ids", "labels", "position_ids"):
                setattr(one, name, getattr(packed, name)[row : row + 1, start:end])
            yield one


def test_packed_rows_give_the_losses_and_gradients_of_single_documents(model):
    packed = batch(LENS)
    output = model.forward_loss(packed)
    output.sum.backward()
    together = gradients(model)
    model.zero_grad()

    losses = []
    for one in single_documents(packed):
        part = model.forward_loss(one)
        part.sum.backward()
        losses.append(part.per_token.flatten())
    torch.testing.assert_close(output.per_token.flatten(), torch.cat(losses), rtol=1e-5, atol=1e-5)
    alone = gradients(model)
    assert together.keys() == alone.keys()
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, alone[name], rtol=1e-4, atol=1e-5, msg=name)


def test_changing_one_document_changes_nothing_in_another(model):
    packed = batch(LENS)
    before = model.forward_loss(packed).per_token
    packed.input_ids[0, 10:15] = 7  # the middle document of the first row
    after = model.forward_loss(packed).per_token
    changed = before != after
    assert changed[0, 10:15].any()
    changed[0, 10:15] = False
    assert not changed.any()


def test_masked_positions_do_not_count(model):
    packed = batch(LENS, masked=0.4)
    output = model.forward_loss(packed)
    targets = torch.from_numpy(packed.labels >= 0)
    assert output.n_targets == int(targets.sum())
    assert not output.per_token[~targets].any()
    torch.testing.assert_close(output.per_token.sum(), output.sum.detach())


def test_a_batch_without_targets_has_zero_loss_and_zero_gradient(model):
    packed = batch(LENS)
    packed.labels[:] = -100
    output = model.forward_loss(packed)
    output.sum.backward()
    assert output.n_targets == 0 and output.sum.item() == 0.0
    assert all(not g.any() for g in gradients(model).values())


def test_the_packed_loss_is_that_of_the_ordinary_model_without_packing(model):
    packed = batch([[30], [30]])
    logits = model.lm(input_ids=torch.from_numpy(packed.input_ids)).logits[..., : model.vocabulary.size]
    plain = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(packed.labels).flatten(), ignore_index=-100, reduction="sum"
    )
    torch.testing.assert_close(model.forward_loss(packed).sum, plain, rtol=1e-5, atol=1e-4)


def test_a_bias_is_added_to_the_logits_of_its_document_and_to_no_others(model):
    packed = batch(LENS)
    before = model.forward_loss(packed).per_token
    packed.doc_bias = [[None, np.zeros((5, 5), np.float32), None], [None]]
    torch.testing.assert_close(model.forward_loss(packed).per_token, before, rtol=1e-5, atol=1e-5)
    packed.doc_bias[0][1][:, 2:4] = -3.0
    changed = (model.forward_loss(packed).per_token != before)[0]
    assert changed[13:14].any() and not changed[:10].any() and not changed[15:].any()


def test_whole_rows_of_masks_give_what_document_after_document_gives(model):
    packed = batch(LENS)
    random = np.random.default_rng(0)
    first = np.zeros((10, 10), np.float32)
    first[4:, 1:3] = random.normal(size=(6, 2))
    packed.doc_bias = [[first, None, np.zeros((15, 15), np.float32)], [np.zeros((30, 30), np.float32)]]
    one_by_one = model.forward_loss(packed).per_token
    rows = row_masks(LENS, packed.doc_bias, torch.device("cpu"), torch.float32)
    ids, places = torch.from_numpy(packed.input_ids), torch.from_numpy(packed.position_ids)
    states = model.hidden(ids, places, LENS, rows).flatten(0, 1)
    labels = torch.from_numpy(packed.labels).flatten()
    logits = (states @ model.head.T)[:, : model.vocabulary.size]
    whole = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="none")
    torch.testing.assert_close(whole.view(one_by_one.shape), one_by_one, rtol=1e-5, atol=1e-5)


def test_a_bias_gives_what_plain_attention_gives():
    """Against softmax written out, future tokens hidden, keys shared by two heads each."""
    random = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, heads, 6, 8, generator=random) for heads in (4, 2, 2))
    bias = torch.randn(6, 6, generator=random).masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf)
    found, _ = packed_attention(torch.nn.Module(), query, key, value, None, doc_lens=[[6]], doc_masks=[[bias]])
    logits = query @ key.repeat_interleave(2, 1).transpose(2, 3) / 8**0.5 + bias
    plain = logits.softmax(-1) @ value.repeat_interleave(2, 1)
    torch.testing.assert_close(found, plain.transpose(1, 2), rtol=1e-5, atol=1e-6)


def test_generation_with_a_cache_needs_no_switch(model):
    ids = torch.from_numpy(batch([[12]]).input_ids)
    model.eval()
    with torch.no_grad():
        full = model.lm(input_ids=ids, use_cache=False).logits[:, -1]
        cache = model.lm(input_ids=ids[:, :-1], use_cache=True).past_key_values
        step = model.lm(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True).logits[:, -1]
        padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), ids], dim=1)
        mask = (torch.arange(15) >= 3).long()[None]
        left_padded = model.lm(
            input_ids=padded, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)
        ).logits[:, -1]
    torch.testing.assert_close(step, full, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(left_padded, full, rtol=1e-4, atol=1e-5)
