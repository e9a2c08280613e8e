"""The chunked loss against the plain one with full logits."""

import pytest
import torch
import torch.nn.functional as F

from vaak.model.loss import _softmax_on_cpu, _softmax_without_waiting, chunk_rows, token_losses


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_losses_and_gradients_equal_those_of_full_logits(rows):
    torch.manual_seed(0)
    hidden, weight = torch.randn(50, 16, requires_grad=True), torch.randn(128, 16, requires_grad=True)
    labels = torch.randint(0, 100, (50,))
    total, losses = token_losses(hidden, weight, labels, size=100, rows=rows)
    (total * 0.3).backward()
    chunked = hidden.grad, weight.grad

    hidden.grad = weight.grad = None
    plain = F.cross_entropy(hidden @ weight[:100].t(), labels, reduction="none")
    (plain.sum() * 0.3).backward()
    torch.testing.assert_close(losses, plain.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(total, plain.sum(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(chunked[0], hidden.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(chunked[1], weight.grad, rtol=1e-5, atol=1e-5)


def test_padding_rows_have_no_part_in_the_softmax_and_no_gradient():
    hidden, weight = torch.randn(9, 8), torch.randn(20, 8)
    weight[15:] = 1e4  # would swallow all probability
    weight.requires_grad_(True)
    total, _ = token_losses(hidden, weight, torch.zeros(9, dtype=torch.long), size=15)
    total.backward()
    assert total.isfinite() and weight.grad is not None
    assert not weight.grad[15:].any() and weight.grad[:15].any()


def test_improbable_targets_keep_a_finite_loss():
    hidden = torch.tensor([[1000.0]])
    weight = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    total, _ = token_losses(hidden, weight, torch.tensor([1]), size=2)
    assert total.item() == pytest.approx(2000.0)


@pytest.mark.parametrize("scale", [1.0, 30.0, 3000.0])
def test_both_ways_to_the_softmax_give_its_losses(scale):
    """On a CPU and on a GPU, from likely targets to those of which no probability is left."""
    torch.manual_seed(0)
    states, head, targets = torch.randn(40, 16) * scale, torch.randn(90, 16), torch.randint(0, 90, (40, 1))
    logits = torch.mm(states, head.t())
    wanted = F.cross_entropy(logits.double(), targets[:, 0], reduction="none").float()
    for losses, probabilities in (
        _softmax_on_cpu(logits.clone(), targets, states, head),
        _softmax_without_waiting(logits.clone(), targets),
    ):
        torch.testing.assert_close(losses, wanted, rtol=1e-5, atol=1e-5 * scale)
        assert torch.equal(probabilities, torch.softmax(logits, dim=1))


def test_states_that_are_not_finite_give_losses_that_are_not():
    hidden = torch.tensor([[1.0, 2.0], [float("nan"), 0.0], [float("inf"), 1.0]])
    _, losses = token_losses(hidden, torch.randn(8, 2), torch.tensor([1, 2, 3]), size=8)
    assert losses[0].isfinite() and not losses[1:].isfinite().any()


def test_chunks_on_a_cpu_have_enough_rows_but_not_more_than_memory_allows():
    assert [chunk_rows(size, "cpu") for size in (300, 16_384, 65_920, 217_209)] == [6_976, 512, 256, 64]
    assert chunk_rows(217_209, "cuda") == 617


def test_nothing_is_computed_for_gradients_in_validation():
    with torch.no_grad():
        total, losses = token_losses(torch.randn(5, 4), torch.randn(10, 4), torch.arange(5), size=10)
    assert not total.requires_grad and losses.shape == (5,)


def test_autocast_multiplies_in_bfloat16_but_sums_in_float32():
    torch.manual_seed(0)
    hidden, weight = torch.randn(20, 16, requires_grad=True), torch.randn(64, 16, requires_grad=True)
    labels = torch.randint(0, 64, (20,))
    with torch.autocast("cpu", torch.bfloat16):
        total, losses = token_losses(hidden, weight, labels, size=64)
    total.backward()
    exact, _ = token_losses(hidden.detach(), weight.detach(), labels, size=64)
    assert losses.dtype == torch.float32 and weight.grad is not None and weight.grad.dtype == torch.float32
    assert abs(total.item() / exact.item() - 1) < 0.01
